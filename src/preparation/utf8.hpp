#pragma once
// Characters of text in UTF-8.

#include <unicode/utf8.h>

#include <cstdint>
#include <string_view>

#include "base/check.hpp"

namespace tenfold {

/// Visits the characters of well-formed UTF-8 text.
template <class Visit>
void for_each_character(std::string_view text, const Visit& visit) {
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(text.data());
  const auto size = static_cast<std::int64_t>(text.size());
  for (std::int64_t at = 0; at < size;) {
    UChar32 character = 0;
    U8_NEXT(bytes, at, size, character);
    TENFOLD_ASSERT(character >= 0, "ill-formed UTF-8 before byte ", at);
    visit(static_cast<char32_t>(character));
  }
}

inline bool is_ascii(std::string_view text) {
  for (const char byte : text)
    if (static_cast<unsigned char>(byte) >= 0x80U) return false;
  return true;
}

}  // namespace tenfold

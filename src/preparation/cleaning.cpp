#include "preparation/cleaning.hpp"

#include <unicode/uchar.h>
#include <unicode/utf8.h>

namespace tenfold {

namespace {

enum class Treatment { keep, space, invalid, control };

/// Shows nothing and makes no other word or picture of what stands beside it.
bool is_invisible_format(UChar32 character) {
  constexpr UChar32 non_joiner = 0x200C, joiner = 0x200D, first_tag = 0xE0001, last_tag = 0xE007F;
  if (character == non_joiner || character == joiner) return false;
  if (character >= first_tag && character <= last_tag) return false;
  return u_hasBinaryProperty(character, UCHAR_DEFAULT_IGNORABLE_CODE_POINT) != 0;
}

Treatment treatment_of(UChar32 character) {
  constexpr UChar32 replacement = 0xFFFD;
  constexpr UChar32 zero_width_space = 0x200B;
  constexpr UChar32 sentencepiece_space = 0x2581;
  if (character < 0 || character == replacement) return Treatment::invalid;
  if (character == sentencepiece_space || character == zero_width_space || u_isUWhiteSpace(character))
    return Treatment::space;
  const auto type = u_charType(character);
  if (type == U_CONTROL_CHAR || U_IS_UNICODE_NONCHAR(character)) return Treatment::control;
  if (type == U_FORMAT_CHAR && is_invisible_format(character)) return Treatment::control;
  return Treatment::keep;
}

constexpr bool is_visible_ascii(unsigned char byte) {
  return byte > 0x20U && byte < 0x7FU;
}

}  // namespace

void clean_text(std::string_view raw, std::string& clean, CleaningCounts& counts) {
  clean.clear();
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(raw.data());
  const auto size = static_cast<std::int64_t>(raw.size());
  bool space_before = false;
  std::int64_t at = 0;
  while (at < size) {
    const std::int64_t begin = at;
    auto treatment = Treatment::keep;
    if (is_visible_ascii(bytes[at])) {
      while (at < size && is_visible_ascii(bytes[at])) ++at;
    } else {
      UChar32 character = 0;
      U8_NEXT(bytes, at, size, character);
      treatment = treatment_of(character);
    }
    if (treatment == Treatment::invalid) ++counts.invalid;
    if (treatment == Treatment::control) ++counts.control;
    if (treatment == Treatment::space) space_before = true;
    if (treatment != Treatment::keep) continue;
    if (space_before && !clean.empty()) clean += ' ';
    space_before = false;
    clean += raw.substr(static_cast<std::size_t>(begin), static_cast<std::size_t>(at - begin));
  }
}

}  // namespace tenfold

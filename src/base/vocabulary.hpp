#pragma once
// A vocabulary as models see it: how many tokens, and which of them stand for no text.

#include <algorithm>
#include <array>
#include <cstdint>

namespace tenfold {

/// Ids of the special tokens; they belong to a tokenizer. The defaults are those of the tokenizers that `prepare`
/// trains. All but `unknown` are control symbols: no text becomes one.
struct SpecialTokens {
  std::int32_t pad = 0, unknown = 1, cls = 2, separator = 3, mask = 4, none_of_the_above = 5;

  /// What sampling and random replacement never draw.
  std::array<std::int32_t, 4> never_drawn() const { return {pad, cls, mask, none_of_the_above}; }
  /// All of them, ascending.
  std::array<std::int32_t, 6> ascending() const {
    std::array<std::int32_t, 6> ids{pad, unknown, cls, separator, mask, none_of_the_above};
    std::ranges::sort(ids);
    return ids;
  }
};

struct Vocabulary {
  std::int32_t size;
  SpecialTokens special = {};
};

}  // namespace tenfold

#pragma once
// Tokens that stand for no text, in the tokenizers that `prepare` trains. A corpus says by itself which ids they have.

#include <array>
#include <cstdint>

namespace tenfold {

/// Their ids. All but unknown are *control* symbols: no text becomes one.
enum SpecialToken : std::int32_t {
  pad_token = 0,
  unknown_token = 1,
  class_token = 2,
  separator_token = 3,
  mask_token = 4,
  none_of_the_above_token = 5,
};
/// Their pieces, by id.
inline constexpr std::array<const char*, 6> special_pieces = {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "[NOTA]"};

}  // namespace tenfold

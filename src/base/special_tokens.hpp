#pragma once
// Tokens that stand for no text.

#include <array>
#include <cstdint>

namespace tenfold {

/// Ids of the special tokens, the same in every corpus. All but unknown are *control* symbols: no text becomes one.
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

/// What sampling and random replacement never draw.
inline constexpr std::array<std::int32_t, 4> never_drawn = {pad_token, class_token, mask_token,
                                                            none_of_the_above_token};

}  // namespace tenfold

#pragma once
// The random half-words that decide dropout (kernels/dropout.hpp), drawn for many consecutive elements of a sample at
// once.

#include "kernels/detail/dropout.hpp"

namespace tenfold::kernels::detail {

inline constexpr int half_words_of_block = 8;

/// Half-words of the Philox blocks first .. first + count - 1 of (key, step, sample): 8 * count of them, the lower half
/// of a word before the upper. The values are those of tenfold::philox.
void draw_blocks(std::uint64_t key, std::uint32_t step, std::uint64_t sample, std::uint32_t first, std::int64_t count,
                 std::uint16_t* out);

/// One dropout site at one step, as a kernel uses it:
///
///   const std::uint16_t* draw = mask.draw(sample, begin, count, buffer);
///   for (e...) y[e] = draw[e] >= mask.threshold ? x[e] * mask.scale : 0;
struct DropoutMask {
  std::uint64_t key;
  std::uint32_t step;
  std::uint16_t threshold;  ///< an element is kept where its half-word is at least this
  float scale;              ///< 1 / (1 - rate)

  /// 0 < dropout.rate < 1.
  explicit DropoutMask(const Dropout& dropout)
      : key(dropout.key),
        step(static_cast<std::uint32_t>(*dropout.step.data<std::int64_t>())),
        threshold(dropout_threshold(dropout.rate)),
        scale(1.0F / (1.0F - dropout.rate)) {}

  /// Half-words that a buffer for `count` elements must hold.
  static constexpr std::int64_t buffer_size(std::int64_t count) { return count + 2 * half_words_of_block; }

  /// Half-words of the elements begin .. begin + count - 1 of global sample `sample`, lying in `buffer`. Fastest for
  /// 256 elements and more.
  const std::uint16_t* draw(std::int64_t sample, std::int64_t begin, std::int64_t count, std::uint16_t* buffer) const {
    const std::int64_t first = begin / half_words_of_block;
    const std::int64_t end = (begin + count + half_words_of_block - 1) / half_words_of_block;
    draw_blocks(key, step, static_cast<std::uint64_t>(sample), static_cast<std::uint32_t>(first), end - first, buffer);
    return buffer + (begin - first * half_words_of_block);
  }
};

}  // namespace tenfold::kernels::detail

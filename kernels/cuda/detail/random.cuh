#pragma once
// base/random.hpp on a device: the same Philox blocks; and dropout over rows (kernels/dropout.hpp).

#include <Random123/philox.h>

#include "kernels/cuda/detail/packed.cuh"
#include "kernels/cuda/detail/vectors.cuh"
#include "kernels/detail/dropout.hpp"

namespace tenfold::cuda {

__device__ inline uint4 philox(std::uint64_t key, std::uint32_t position, std::uint32_t step, std::uint64_t sample) {
  const r123::Philox4x32::ctr_type counter = {
      {position, step, static_cast<std::uint32_t>(sample), static_cast<std::uint32_t>(sample >> 32U)}};
  const r123::Philox4x32::key_type words = {{static_cast<std::uint32_t>(key), static_cast<std::uint32_t>(key >> 32U)}};
  const r123::Philox4x32::ctr_type block = r123::Philox4x32{}(counter, words);
  return uint4{block.v[0], block.v[1], block.v[2], block.v[3]};
}

/// kernels::Dropout as kernels read it.
struct DropoutView {
  PackedView rows;
  float rate = 0;  ///< 0: nothing below is read, and rows only where the op itself needs them
  float scale = 1;
  std::uint32_t threshold = 0;
  std::uint64_t key = 0;
  const std::int64_t* step = nullptr;

  /// For an op over `count` rows.
  DropoutView(const kernels::Dropout& dropout, std::int64_t count)
      : rate(dropout.rate),
        scale(1 / (1 - dropout.rate)),
        threshold(dropout.rate == 0 ? 0U : kernels::detail::dropout_threshold(dropout.rate)),
        key(dropout.key) {
    if (rate == 0) return;
    rows = PackedView(dropout.rows, count, "dropout: rows");
    kernels::detail::expect(dropout.step, DType::i64, {1}, "dropout: step");
    step = dropout.step.data<std::int64_t>();
  }

  /// The half-words that decide on elements 8 * group .. 8 * group + 7 of a sample, two a word.
  __device__ uint4 draws(std::int64_t sample, std::uint32_t group) const {
    return philox(key, group, static_cast<std::uint32_t>(*step), static_cast<std::uint64_t>(sample));
  }
  __device__ bool keeps(const uint4& draws, std::uint32_t element) const {
    const std::uint32_t words[4] = {draws.x, draws.y, draws.z, draws.w};
    return (words[element % 8 / 2] >> (16 * (element % 2)) & 0xffffU) >= threshold;
  }

  /// Elements [column, column + 8), column a multiple of eight, of row n of a matrix `width` wide through the mask.
  /// Rows that belong to no sequence stay.
  __device__ void apply(std::int64_t n, int column, int width, float (&values)[8]) const {
    if (rate == 0) return;
    const std::int32_t b = rows.sequence[n];
    if (b < 0) return;
    const std::int64_t sample = rows.samples[b];
    const auto first = static_cast<std::uint32_t>((n - rows.offsets[b]) * width + column);
    uint4 block = draws(sample, first / 8);
#pragma unroll
    for (std::uint32_t i = 0; i < 8; ++i) {
      if (i > 0 && (first + i) % 8 == 0) block = draws(sample, (first + i) / 8);
      values[i] = keeps(block, first + i) ? values[i] * scale : 0.0F;
    }
  }
};

}  // namespace tenfold::cuda

#pragma once
// Dropout over the rows of a [N, d] matrix of packed sequences.

#include <algorithm>
#include <optional>

#include "kernels/host/detail/blocks.hpp"
#include "kernels/host/detail/dropout_mask.hpp"
#include "kernels/host/detail/packed_view.hpp"

namespace tenfold::kernels::detail {

class RowDropout {
 public:
  RowDropout(const Dropout& dropout, std::int64_t rows, std::int64_t width) : width_(width) {
    if (dropout.rate == 0) return;
    expect(dropout.step, DType::i64, {1}, "dropout: step");
    mask_.emplace(dropout);
    rows_.emplace(dropout.rows, rows, "dropout: rows");
  }

  /// The draws of rows [first, first + count), a pointer each, null where nothing is dropped: also in rows of no
  /// sequence. They lie in memory of the calling thread, until its next call. Several rows at once, as draws of 256
  /// elements and more are the fastest.
  void draw(std::int64_t first, std::int64_t count, const std::uint16_t** rows) const {
    std::fill_n(rows, count, nullptr);
    if (!mask_) return;
    auto* buffer = scratch<std::uint16_t, RowDropout>(count * DropoutMask::buffer_size(width_));
    const std::int64_t last = std::min(first + count, rows_->filled());
    for (std::int64_t n = first; n < last;) {  // rows of one sample are consecutive elements
      const std::int64_t end = std::min<std::int64_t>(last, rows_->offsets[rows_->sequence[n] + 1]);
      const std::uint16_t* draws =
          mask_->draw(rows_->sample(n), rows_->position(n) * width_, (end - n) * width_, buffer);
      buffer += DropoutMask::buffer_size((end - n) * width_);
      for (; n < end; ++n, draws += width_) rows[n - first] = draws;
    }
  }

  /// y = dropout(x) for the `width` elements of a row; y may be x.
  void apply(const std::uint16_t* draws, const float* x, float* y) const {
    if (draws == nullptr) {
      if (x != y) std::copy_n(x, width_, y);
      return;
    }
    const std::uint16_t threshold = mask_->threshold;
    const float scale = mask_->scale;
#pragma omp simd
    for (std::int64_t c = 0; c < width_; ++c) y[c] = draws[c] >= threshold ? x[c] * scale : 0.0F;
  }

 private:
  std::optional<DropoutMask> mask_;
  std::optional<PackedView> rows_;
  std::int64_t width_;
};

}  // namespace tenfold::kernels::detail

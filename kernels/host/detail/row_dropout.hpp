#pragma once
// Dropout over the rows of a [B*T, d] matrix: row b*T + t, column c is element t*d + c of sample b.

#include <algorithm>
#include <optional>

#include "kernels/host/detail/blocks.hpp"
#include "kernels/host/detail/dropout_mask.hpp"
#include "kernels/host/detail/operands.hpp"

namespace tenfold::kernels::detail {

class RowDropout {
 public:
  RowDropout(const Dropout& dropout, std::int64_t rows, std::int64_t width) : width_(width) {
    if (dropout.rate == 0) return;
    TENFOLD_VERIFY(dropout.samples.shape().rank() == 1 && dropout.samples[0] > 0 && rows % dropout.samples[0] == 0,
                   rows, " rows for samples ", dropout.samples.shape().describe());
    expect(dropout.step, DType::i64, {1}, "dropout: step");
    mask_.emplace(dropout);
    samples_ = dropout.samples.data<std::int64_t>();
    length_ = rows / dropout.samples[0];
  }

  /// The draws of rows [first, first + count), a pointer each, null where nothing is dropped. They lie in memory of the
  /// calling thread, until its next call. Several rows at once, as draws of 256 elements and more are the fastest.
  void draw(std::int64_t first, std::int64_t count, const std::uint16_t** rows) const {
    std::fill_n(rows, count, nullptr);
    if (!mask_) return;
    auto* buffer = scratch<std::uint16_t, RowDropout>(count * DropoutMask::buffer_size(width_));
    for (std::int64_t n = first; n < first + count;) {  // rows of one sample are consecutive elements
      const std::int64_t sample = n / length_, end = std::min(first + count, (sample + 1) * length_);
      const std::uint16_t* draws = mask_->draw(samples_[sample], n % length_ * width_, (end - n) * width_, buffer);
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
  const std::int64_t* samples_ = nullptr;
  std::int64_t length_ = 1;
  std::int64_t width_;
};

}  // namespace tenfold::kernels::detail

#pragma once
// Dropout over the rows of a [B*T, d] matrix: row b*T + t, column c is element t*d + c of sample b.

#include <algorithm>
#include <optional>

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

  /// y = dropout(x) for the `width` elements of a row; y may be x.
  void apply(std::int64_t row, const float* x, float* y) const {
    if (!mask_) {
      if (x != y) std::copy_n(x, width_, y);
      return;
    }
    alignas(64) std::uint16_t buffer[DropoutMask::buffer_size(piece)];
    const std::int64_t first = row % length_ * width_;
    const std::uint16_t threshold = mask_->threshold;
    const float scale = mask_->scale;
    for (std::int64_t begin = 0; begin < width_; begin += piece) {
      const std::int64_t count = std::min(piece, width_ - begin);
      const std::uint16_t* draw = mask_->draw(samples_[row / length_], first + begin, count, buffer);
#pragma omp simd
      for (std::int64_t c = 0; c < count; ++c) y[begin + c] = draw[c] >= threshold ? x[begin + c] * scale : 0.0F;
    }
  }

 private:
  static constexpr std::int64_t piece = 1024;
  std::optional<DropoutMask> mask_;
  const std::int64_t* samples_ = nullptr;
  std::int64_t length_ = 1;
  std::int64_t width_;
};

}  // namespace tenfold::kernels::detail

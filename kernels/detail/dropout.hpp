#pragma once
// What dropout asks of its operands and how it reads its rate, on any device.

#include <algorithm>
#include <cmath>

#include "kernels/detail/operands.hpp"
#include "kernels/dropout.hpp"

namespace tenfold::kernels::detail {

/// An element is kept where its half-word is at least this. Throws Error unless 0 < rate < 1.
inline std::uint16_t dropout_threshold(float rate) {
  TENFOLD_VERIFY(rate > 0 && rate < 1, "dropout rate ", rate);
  return static_cast<std::uint16_t>(std::min(std::lround(rate * 65536.0F), 65535L));
}

/// x, y: [N, d] of one type.
inline void expect_dropout(const Tensor& x, const Tensor& y) {
  TENFOLD_VERIFY(x.shape().rank() == 2, "dropout: input ", x.shape().describe());
  expect(y, x.dtype(), x.shape(), "dropout: output");
}

}  // namespace tenfold::kernels::detail

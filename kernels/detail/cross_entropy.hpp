#pragma once
// What softmax cross entropy asks of its operands, on any device.

#include "kernels/detail/operands.hpp"

namespace tenfold::kernels::detail {

inline void expect_cross_entropy(const Tensor& logits, const Tensor& labels, const Tensor& count, const Tensor& weight,
                                 const Tensor& losses, const Tensor& correct, const Tensor& dlogits) {
  TENFOLD_VERIFY(logits.shape().rank() == 2 && logits[1] > 0, "logits ", logits.shape().describe());
  expect(logits, DType::f32, logits.shape(), "softmax_cross_entropy: logits");
  expect(labels, DType::i32, {logits[0]}, "softmax_cross_entropy: labels");
  expect(count, DType::i32, {1}, "softmax_cross_entropy: count");
  expect(weight, DType::f32, {1}, "softmax_cross_entropy: weight");
  expect(losses, DType::f32, {logits[0]}, "softmax_cross_entropy: losses");
  expect(correct, DType::i32, {logits[0]}, "softmax_cross_entropy: correct");
  if (dlogits) expect(dlogits, dlogits.dtype(), logits.shape(), "softmax_cross_entropy: dlogits");
}

}  // namespace tenfold::kernels::detail

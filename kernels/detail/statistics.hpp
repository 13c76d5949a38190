#pragma once
// What counts for a run's trace ask of their operands, on any device.

#include "kernels/detail/operands.hpp"

namespace tenfold::kernels::detail {

inline void expect_joint_counts(const Tensor& first, const Tensor& second, const Tensor& sums) {
  expect(first, DType::i32, first.shape(), "add_joint_counts: first");
  expect(second, DType::i32, first.shape(), "add_joint_counts: second");
  expect(sums, DType::f64, {6}, "add_joint_counts: sums");
}

inline void expect_label_ranks(const Tensor& logits, const Tensor& labels, const Tensor& count, const Tensor& sum) {
  TENFOLD_VERIFY(logits.shape().rank() == 2, "add_label_ranks: logits ", logits.shape().describe());
  expect(labels, DType::i32, {logits[0]}, "add_label_ranks: labels");
  expect(count, DType::i32, {1}, "add_label_ranks: count");
  expect(sum, DType::f64, {1}, "add_label_ranks: sum");
}

}  // namespace tenfold::kernels::detail

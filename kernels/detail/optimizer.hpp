#pragma once
// What the ops of the optimizer ask of their operands, on any device.

#include "kernels/detail/operands.hpp"
#include "kernels/optimizer.hpp"

namespace tenfold::kernels::detail {

inline void expect_judge_step(const Tensor& norm, const Tensor& sums, const Tensor& skipped, const Tensor& updates) {
  expect(norm, DType::f32, {1}, "judge_step: norm");
  expect(sums, DType::f64, {sums.elements()}, "judge_step: sums");
  expect(skipped, DType::i32, {1}, "judge_step: skipped");
  expect(updates, DType::i64, {1}, "judge_step: updates");
}

inline void expect_adamw(const AdamWStep& step, const Tensor& gradient, const Tensor& weight,
                         const Tensor& first_moment, const Tensor& second_moment) {
  expect(gradient, DType::f32, weight.shape(), "adamw: gradient");
  expect(first_moment, DType::f32, weight.shape(), "adamw: first_moment");
  expect(second_moment, DType::f32, weight.shape(), "adamw: second_moment");
  expect(step.learning_rate, DType::f32, {1}, "adamw: learning_rate");
  expect(step.norm, DType::f32, {1}, "adamw: norm");
  expect(step.skipped, DType::i32, {1}, "adamw: skipped");
  expect(step.updates, DType::i64, {1}, "adamw: updates");
}

}  // namespace tenfold::kernels::detail

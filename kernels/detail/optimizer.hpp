#pragma once
// What the ops of the optimizer ask of their operands, and what a step is, on any device.

#include <cmath>

#include "kernels/detail/any_device.hpp"
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

/// What one step of AdamW does to every element.
struct AdamWUpdate {
  float beta1, rest1;  ///< rest = 1 - beta
  float beta2, rest2;
  float epsilon;
  float clip;   ///< factor on the gradient
  float decay;  ///< learning rate * weight decay
  float rate;   ///< learning rate * bias correction
};

/// Of the `updates`-th update; worked out in f64.
TENFOLD_ANY_DEVICE inline AdamWUpdate adamw_update(const AdamW& settings, double learning_rate, double norm,
                                                   std::int64_t updates) {
  const auto f32 = [](double value) { return static_cast<float>(value); };
  const auto t = static_cast<double>(updates);
  const float correction = f32(std::sqrt(1.0 - std::pow(settings.beta2, t)) / (1.0 - std::pow(settings.beta1, t)));
  const double clip = settings.clip_norm > 0 ? std::fmin(1.0, settings.clip_norm / (norm + 1e-6)) : 1.0;
  return {f32(settings.beta1),
          f32(1 - settings.beta1),
          f32(settings.beta2),
          f32(1 - settings.beta2),
          f32(settings.epsilon),
          f32(clip),
          f32(learning_rate * settings.weight_decay),
          f32(learning_rate * static_cast<double>(correction))};
}

}  // namespace tenfold::kernels::detail

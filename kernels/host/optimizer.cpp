#include "kernels/optimizer.hpp"

#include <cmath>

#include "kernels/host/detail/blocks.hpp"
#include "kernels/host/detail/operands.hpp"
#include "kernels/host/detail/ordered_sum.hpp"

namespace tenfold::kernels {

namespace {

/// What one step does to every element.
struct Update {
  float beta1, rest1;  ///< rest = 1 - beta
  float beta2, rest2;
  float epsilon;
  float clip;   ///< factor on the gradient
  float decay;  ///< learning rate * weight decay
  float rate;   ///< learning rate * bias correction
};

Update update_of(const AdamW& settings, const AdamWStep& step) {
  const double learning_rate = *step.learning_rate.data<float>();
  const double norm = *step.norm.data<float>();
  const double clip = settings.clip_norm > 0 ? std::min(1.0, settings.clip_norm / (norm + 1e-6)) : 1.0;
  const auto f32 = [](double value) { return static_cast<float>(value); };
  return {f32(settings.beta1),
          f32(1 - settings.beta1),
          f32(settings.beta2),
          f32(1 - settings.beta2),
          f32(settings.epsilon),
          f32(clip),
          f32(learning_rate * settings.weight_decay),
          f32(learning_rate * *step.correction.data<float>())};
}

void update(const Update& u, const float* gradient, float* weight, float* first, float* second, std::int64_t count) {
#pragma omp simd
  for (std::int64_t i = 0; i < count; ++i) {
    const float g = gradient[i] * u.clip;
    const float m = u.beta1 * first[i] + u.rest1 * g;
    const float v = u.beta2 * second[i] + u.rest2 * g * g;
    const float decayed = weight[i] - u.decay * weight[i];
    first[i] = m;
    second[i] = v;
    weight[i] = decayed - u.rate * (m / (std::sqrt(v) + u.epsilon));
  }
}

}  // namespace

void global_norm(Queue& queue, const Tensor& gradient, const Tensor& norm) {
  static detail::Label label = "tenfold::global_norm::forward";
  const Queue::Region region(queue, label.c_str());
  detail::expect(norm, DType::f32, {1}, "global_norm: norm");
  const double squares = detail::ordered_sum(label, gradient.data<float>(), gradient.elements(),
                                             [](double value) { return value * value; });
  *norm.data<float>() = static_cast<float>(std::sqrt(squares));
}

void adamw(Queue& queue, const AdamW& settings, const AdamWStep& step, const Tensor& gradient, const Tensor& weight,
           const Tensor& first_moment, const Tensor& second_moment) {
  static detail::Label label = "tenfold::adamw::forward";
  const Queue::Region region(queue, label.c_str());
  detail::expect(gradient, DType::f32, weight.shape(), "adamw: gradient");
  detail::expect(first_moment, DType::f32, weight.shape(), "adamw: first_moment");
  detail::expect(second_moment, DType::f32, weight.shape(), "adamw: second_moment");
  detail::expect(step.learning_rate, DType::f32, {1}, "adamw: learning_rate");
  detail::expect(step.correction, DType::f32, {1}, "adamw: correction");
  detail::expect(step.norm, DType::f32, {1}, "adamw: norm");
  const Update every = update_of(settings, step);
  const auto* g = gradient.data<float>();
  auto* w = weight.data<float>();
  auto* m = first_moment.data<float>();
  auto* v = second_moment.data<float>();
  detail::for_blocks(label, weight.elements(), detail::block_elements, [=](std::int64_t begin, std::int64_t end) {
    update(every, g + begin, w + begin, m + begin, v + begin, end - begin);
  });
}

}  // namespace tenfold::kernels

#include "kernels/optimizer.hpp"

#include <algorithm>
#include <cmath>

#include "kernels/detail/optimizer.hpp"
#include "kernels/host/detail/blocks.hpp"
#include "kernels/host/detail/ordered_sum.hpp"

namespace tenfold::kernels {

namespace {

void update(const detail::AdamWUpdate& u, const float* gradient, float* weight, float* first, float* second,
            std::int64_t count) {
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

namespace host {

void global_norm(Queue& queue, const Tensor& gradient, const Tensor& norm) {
  static detail::Label label = "tenfold::global_norm::forward";
  const Queue::Region region(queue, label.c_str());
  detail::expect(norm, DType::f32, {1}, "global_norm: norm");
  const double squares = detail::ordered_sum(label, gradient.data<float>(), gradient.elements(),
                                             [](double value) { return value * value; });
  *norm.data<float>() = static_cast<float>(std::sqrt(squares));
}

void judge_step(Queue& queue, const Tensor& norm, const Tensor& sums, const Tensor& skipped, const Tensor& updates) {
  const Queue::Region region(queue, "tenfold::judge_step::forward");
  detail::expect_judge_step(norm, sums, skipped, updates);
  const auto* values = sums.data<double>();
  const bool finite = std::isfinite(*norm.data<float>()) &&
                      std::all_of(values, values + sums.elements(), [](double sum) { return std::isfinite(sum); });
  *skipped.data<std::int32_t>() = finite ? 0 : 1;
  *updates.data<std::int64_t>() += finite ? 1 : 0;
}

void adamw(Queue& queue, const AdamW& settings, const AdamWStep& step, const Tensor& gradient, const Tensor& weight,
           const Tensor& first_moment, const Tensor& second_moment) {
  static detail::Label label = "tenfold::adamw::forward";
  const Queue::Region region(queue, label.c_str());
  detail::expect_adamw(step, gradient, weight, first_moment, second_moment);
  if (*step.skipped.data<std::int32_t>() != 0) return;
  const detail::AdamWUpdate every = detail::adamw_update(settings, *step.learning_rate.data<float>(),
                                                         *step.norm.data<float>(), *step.updates.data<std::int64_t>());
  const auto* g = gradient.data<float>();
  auto* w = weight.data<float>();
  auto* m = first_moment.data<float>();
  auto* v = second_moment.data<float>();
  detail::for_blocks(label, weight.elements(), detail::block_elements, [=](std::int64_t begin, std::int64_t end) {
    update(every, g + begin, w + begin, m + begin, v + begin, end - begin);
  });
}

}  // namespace host

const Implementation global_norm_on_host{global_norm, DeviceKind::host, host::global_norm};
const Implementation judge_step_on_host{judge_step, DeviceKind::host, host::judge_step};
const Implementation adamw_on_host{adamw, DeviceKind::host, host::adamw};

}  // namespace tenfold::kernels

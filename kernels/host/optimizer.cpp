#include "kernels/optimizer.hpp"

#include <array>
#include <cmath>
#include <numbers>

#include "base/random.hpp"
#include "kernels/host/detail/bfloat16.hpp"
#include "kernels/host/detail/blocks.hpp"
#include "kernels/host/detail/operands.hpp"

namespace tenfold::kernels {

namespace {

struct Partials;  // names the scratch of the sums

/// Sum of term(values[i]) in f64: block by block, blocks in order, whatever the number of threads.
template <class T, class Term>
double ordered_sum(detail::Label& label, const T* values, std::int64_t count, Term term) {
  double* partials = detail::scratch<double, Partials>((count + detail::block_elements - 1) / detail::block_elements);
  detail::for_blocks(label, count, detail::block_elements, [=](std::int64_t begin, std::int64_t end) {
    double sum = 0;
#pragma omp simd reduction(+ : sum)
    for (std::int64_t i = begin; i < end; ++i) sum += term(static_cast<double>(values[i]));
    partials[begin / detail::block_elements] = sum;
  });
  double sum = 0;
  for (std::int64_t begin = 0; begin < count; begin += detail::block_elements)
    sum += partials[begin / detail::block_elements];
  return sum;
}

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

/// Elements 2 * pair and 2 * pair + 1 of the stream `key`: Box and Muller (1958) on one Philox block.
std::array<double, 2> normal_pair(std::uint64_t key, std::int64_t pair) {
  const auto block = philox(key, 0, 0, static_cast<std::uint64_t>(pair));
  const auto first = static_cast<std::uint64_t>(block[0]) << 32U | block[1];
  const auto second = static_cast<std::uint64_t>(block[2]) << 32U | block[3];
  const double radius = std::sqrt(-2 * std::log(static_cast<double>((first >> 11U) + 1) * 0x1p-53));  // of (0, 1]
  const double angle = 2 * std::numbers::pi * (static_cast<double>(second >> 11U) * 0x1p-53);
  return {radius * std::cos(angle), radius * std::sin(angle)};
}

}  // namespace

void global_norm(Queue& queue, const Tensor& gradient, const Tensor& norm) {
  static detail::Label label = "tenfold::global_norm::forward";
  const Queue::Region region(queue, label.c_str());
  detail::expect(norm, DType::f32, {1}, "global_norm: norm");
  const double squares =
      ordered_sum(label, gradient.data<float>(), gradient.elements(), [](double value) { return value * value; });
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

void convert(Queue& queue, const Tensor& source, const Tensor& destination) {
  static detail::Label label = "tenfold::convert::forward";
  const Queue::Region region(queue, label.c_str());
  TENFOLD_VERIFY(source.elements() == destination.elements(), "convert ", source.shape().describe(), " to ",
                 destination.shape().describe());
  detail::by_storage_type(source, "convert: source", [&]<class From>() {
    detail::by_storage_type(destination, "convert: destination", [&]<class To>() {
      const From* from = source.data<From>();
      To* to = destination.data<To>();
      detail::for_blocks(label, source.elements(), detail::block_elements, [=](std::int64_t begin, std::int64_t end) {
#pragma omp simd
        for (std::int64_t i = begin; i < end; ++i) to[i] = detail::from_float<To>(detail::to_float(from[i]));
      });
    });
  });
}

void fill_normal(Queue& queue, std::uint64_t key, float mean, float deviation, const Tensor& values) {
  static detail::Label label = "tenfold::fill_normal::forward";
  const Queue::Region region(queue, label.c_str());
  auto* to = values.data<float>();
  detail::for_blocks(label, values.elements(), detail::block_elements, [=](std::int64_t begin, std::int64_t end) {
    static_assert(detail::block_elements % 2 == 0, "a pair lies in one block");
    for (std::int64_t i = begin; i < end; i += 2) {
      const auto [even, odd] = normal_pair(key, i / 2);
      to[i] = static_cast<float>(mean + deviation * even);
      if (i + 1 < end) to[i + 1] = static_cast<float>(mean + deviation * odd);
    }
  });
}

void fill(Queue& queue, float value, const Tensor& values) {
  static detail::Label label = "tenfold::fill::forward";
  const Queue::Region region(queue, label.c_str());
  auto* to = values.data<float>();
  detail::for_blocks(label, values.elements(), detail::block_elements,
                     [=](std::int64_t begin, std::int64_t end) { std::fill(to + begin, to + end, value); });
}

void add(Queue& queue, const Tensor& values, const Tensor& sum) {
  static detail::Label label = "tenfold::add::forward";
  const Queue::Region region(queue, label.c_str());
  TENFOLD_VERIFY(values.elements() == sum.elements(), "add ", values.shape().describe(), " to ",
                 sum.shape().describe());
  auto* to = sum.data<float>();
  detail::by_storage_type(values, "add: values", [&]<class T>() {
    const T* from = values.data<T>();
    detail::for_blocks(label, values.elements(), detail::block_elements, [=](std::int64_t begin, std::int64_t end) {
#pragma omp simd
      for (std::int64_t i = begin; i < end; ++i) to[i] += detail::to_float(from[i]);
    });
  });
}

void add_sum(Queue& queue, const Tensor& values, const Tensor& sum) {
  static detail::Label label = "tenfold::add_sum::forward";
  const Queue::Region region(queue, label.c_str());
  detail::expect(sum, DType::f64, {1}, "add_sum: sum");
  const auto same = [](double value) { return value; };
  auto* total = sum.data<double>();
  switch (values.dtype()) {
    case DType::f32:
      *total += ordered_sum(label, values.data<float>(), values.elements(), same);
      return;
    case DType::i32:
      *total += ordered_sum(label, values.data<std::int32_t>(), values.elements(), same);
      return;
    default:
      throw Error(text("add_sum: values are ", name_of(values.dtype()), ", must be f32 or i32"));
  }
}

}  // namespace tenfold::kernels

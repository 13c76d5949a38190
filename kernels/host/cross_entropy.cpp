#include "kernels/cross_entropy.hpp"

#include <cmath>
#include <limits>

#include "kernels/detail/cross_entropy.hpp"
#include "kernels/host/detail/bfloat16.hpp"
#include "kernels/host/detail/blocks.hpp"
#include "kernels/host/detail/vector_math.hpp"

namespace tenfold::kernels {

namespace {

float greatest_of(const float* logits, std::int64_t count) {
  float greatest = -std::numeric_limits<float>::infinity();
#pragma omp simd reduction(max : greatest)
  for (std::int64_t v = 0; v < count; ++v) greatest = logits[v] > greatest ? logits[v] : greatest;
  return greatest;
}

/// Sum of e^(logit - greatest); NaN if any logit is not finite. The comparison above passes over a NaN and exp would
/// make nothing of -infinity, but x * 0 tells both.
float sum_of_exp(const float* logits, std::int64_t count, float greatest) {
  float sum = 0;
  float zero = 0;
#pragma omp simd reduction(+ : sum, zero)
  for (std::int64_t v = 0; v < count; ++v) {
    sum += detail::exponential(logits[v] - greatest);
    zero += logits[v] * 0.0F;
  }
  return sum + zero;
}

/// dlogits = scale * e^(logit - greatest); may be the logits themselves.
template <class T>
void softmax(const float* logits, std::int64_t count, float greatest, float scale, T* dlogits) {
#pragma omp simd
  for (std::int64_t v = 0; v < count; ++v)
    dlogits[v] = detail::from_float<T>(scale * detail::exponential(logits[v] - greatest));
}

struct Rows {
  const float* logits;
  const std::int32_t* labels;
  std::int64_t vocabulary;
  std::int64_t valid;  ///< rows from here on weigh nothing
  float weight;
  float* losses;
  std::int32_t* correct;
};

/// One row; dlogits null where no gradient is wanted.
template <class T>
void row(const Rows& rows, std::int64_t r, T* dlogits) {
  if (r >= rows.valid) {
    rows.losses[r] = 0;
    rows.correct[r] = 0;
    if (dlogits != nullptr) std::fill_n(dlogits, rows.vocabulary, detail::from_float<T>(0));
    return;
  }
  const float* logits = rows.logits + r * rows.vocabulary;
  const float true_logit = logits[rows.labels[r]];
  const float greatest = greatest_of(logits, rows.vocabulary);
  const float sum = sum_of_exp(logits, rows.vocabulary, greatest);
  rows.losses[r] = std::log(sum) - (true_logit - greatest);
  rows.correct[r] = true_logit == greatest ? 1 : 0;
  if (dlogits == nullptr) return;
  const float scale = rows.weight / sum;
  const float true_probability = detail::exponential(true_logit - greatest) / sum;
  softmax(logits, rows.vocabulary, greatest, scale, dlogits);
  dlogits[rows.labels[r]] = detail::from_float<T>(rows.weight * (true_probability - 1));
}

void verify(const Tensor& logits, const Tensor& labels, std::int64_t valid) {
  const auto* label = labels.data<std::int32_t>();
  for (std::int64_t r = 0; r < valid; ++r)
    TENFOLD_VERIFY(label[r] >= 0 && label[r] < logits[1], "label ", label[r], " of ", logits[1], " classes");
}

}  // namespace

namespace host {

void softmax_cross_entropy(Queue& queue, const Tensor& logits, const Tensor& labels, std::int64_t first,
                           const Tensor& count, const Tensor& weight, const Tensor& losses, const Tensor& correct,
                           const Tensor& dlogits) {
  static detail::Label label = "tenfold::softmax_cross_entropy::forward_backward";
  const Queue::Region region(queue, label.c_str());
  detail::expect_cross_entropy(logits, labels, count, weight, losses, correct, dlogits);
  const Rows rows{logits.data<float>(),
                  labels.data<std::int32_t>(),
                  logits[1],
                  std::clamp<std::int64_t>(*count.data<std::int32_t>() - first, 0, logits[0]),
                  *weight.data<float>(),
                  losses.data<float>(),
                  correct.data<std::int32_t>()};
  verify(logits, labels, rows.valid);
  detail::by_storage_type(dlogits ? dlogits : logits, "softmax_cross_entropy: dlogits", [&]<class T>() {
    T* gradient = dlogits ? dlogits.data<T>() : nullptr;
    detail::for_blocks(label, logits[0], 1, [=](std::int64_t r, std::int64_t) {
      row(rows, r, gradient == nullptr ? gradient : gradient + r * rows.vocabulary);
    });
  });
}

}  // namespace host

const Implementation softmax_cross_entropy_on_host{softmax_cross_entropy, DeviceKind::host,
                                                   host::softmax_cross_entropy};

}  // namespace tenfold::kernels

#include "kernels/statistics.hpp"

#include <algorithm>

#include "kernels/detail/operands.hpp"

namespace tenfold::kernels {

namespace host {

void add_joint_counts(Queue& queue, const Tensor& first, const Tensor& second, const Tensor& sums) {
  const Queue::Region region(queue, "tenfold::joint_counts");
  detail::expect(first, DType::i32, first.shape(), "add_joint_counts: first");
  detail::expect(second, DType::i32, first.shape(), "add_joint_counts: second");
  detail::expect(sums, DType::f64, {6}, "add_joint_counts: sums");
  const auto* a = first.data<std::int32_t>();
  const auto* b = second.data<std::int32_t>();
  auto* to = sums.data<double>();
  for (std::int64_t n = 0; n < first.elements(); ++n) to[3 * a[n] + std::min(b[n], 2)] += 1;
}

void add_label_ranks(Queue& queue, const Tensor& logits, const Tensor& labels, std::int64_t first, const Tensor& count,
                     const Tensor& sum) {
  const Queue::Region region(queue, "tenfold::label_ranks");
  TENFOLD_VERIFY(logits.shape().rank() == 2, "logits ", logits.shape().describe());
  detail::expect(labels, DType::i32, {logits[0]}, "add_label_ranks: labels");
  detail::expect(count, DType::i32, {1}, "add_label_ranks: count");
  detail::expect(sum, DType::f64, {1}, "add_label_ranks: sum");
  const std::int64_t valid = std::clamp<std::int64_t>(*count.data<std::int32_t>() - first, 0, logits[0]);
  const std::int64_t vocabulary = logits[1];
  std::int64_t ranks = 0;
  for (std::int64_t r = 0; r < valid; ++r) {
    const float* row = logits.data<float>() + r * vocabulary;
    const float label = row[labels.data<std::int32_t>()[r]];
    std::int32_t greater = 0;
#pragma omp simd reduction(+ : greater)
    for (std::int64_t v = 0; v < vocabulary; ++v) greater += row[v] > label ? 1 : 0;
    ranks += greater + 1;
  }
  *sum.data<double>() += static_cast<double>(ranks);
}

}  // namespace host

const Implementation add_joint_counts_on_host{add_joint_counts, DeviceKind::host, host::add_joint_counts};
const Implementation add_label_ranks_on_host{add_label_ranks, DeviceKind::host, host::add_label_ranks};

}  // namespace tenfold::kernels

#include "kernels/statistics.hpp"

#include <algorithm>

#include "kernels/detail/statistics.hpp"

namespace tenfold::kernels {

namespace host {

void add_joint_counts(Queue& queue, const Tensor& first, const Tensor& second, const Tensor& sums) {
  const Queue::Region region(queue, "tenfold::joint_counts");
  detail::expect_joint_counts(first, second, sums);
  const auto* a = first.data<std::int32_t>();
  const auto* b = second.data<std::int32_t>();
  auto* to = sums.data<double>();
  for (std::int64_t n = 0; n < first.elements(); ++n) to[3 * a[n] + std::min(b[n], 2)] += 1;
}

void add_label_ranks(Queue& queue, const Tensor& logits, const Tensor& labels, std::int64_t first, const Tensor& count,
                     const Tensor& sum) {
  const Queue::Region region(queue, "tenfold::label_ranks");
  detail::expect_label_ranks(logits, labels, count, sum);
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

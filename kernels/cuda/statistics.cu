#include "kernels/cuda/detail/operands.cuh"
#include "kernels/cuda/detail/vectors.cuh"
#include "kernels/detail/statistics.hpp"
#include "kernels/statistics.hpp"

namespace tenfold::kernels {

namespace {

using namespace ::tenfold::cuda;

constexpr int warps = threads_a_block / 32, outcomes = 6;

struct CountPartials {
  std::int32_t of_warp[warps];
};
struct RankPartials {
  std::int64_t of_warp[warps];
};

/// One block: there are few pairs.
__global__ void __launch_bounds__(threads_a_block)
    count_pairs(const std::int32_t* first, const std::int32_t* second, std::int64_t count, double* sums) {
  CountPartials& partials = shared<CountPartials>();
  std::int32_t counts[outcomes] = {};
  for (std::int64_t n = first_of_grid(); n < count; n += stride_of_grid()) {
    const int outcome = 3 * first[n] + min(second[n], 2);
#pragma unroll
    for (int o = 0; o < outcomes; ++o) counts[o] += o == outcome ? 1 : 0;
  }
#pragma unroll
  for (int o = 0; o < outcomes; ++o) {
    const std::int32_t total = block_sum(counts[o], partials.of_warp);
    if (threadIdx.x == 0) sums[o] += total;
  }
}

/// The rows of this block that count.
__device__ std::int64_t valid_rows(const std::int32_t* count, std::int64_t first, std::int64_t rows) {
  return min(max(*count - first, std::int64_t{0}), rows);
}

/// A block a row: ranks[r] for valid rows.
__global__ void __launch_bounds__(threads_a_block)
    rank_labels(const float* logits, const std::int32_t* labels, std::int64_t first, const std::int32_t* count,
                std::int64_t rows, int vocabulary, std::int32_t* ranks) {
  CountPartials& partials = shared<CountPartials>();
  const std::int64_t r = blockIdx.x;
  if (r >= valid_rows(count, first, rows)) return;
  const float* row = logits + r * vocabulary;
  const float label = row[labels[r]];
  std::int32_t greater = 0;
  for (int v = 8 * static_cast<int>(threadIdx.x); v < vocabulary; v += 8 * threads_a_block) {
    float values[8];
    load8(row, v, vocabulary, values);
#pragma unroll
    for (int i = 0; i < 8; ++i) greater += v + i < vocabulary && values[i] > label ? 1 : 0;
  }
  greater = block_sum(greater, partials.of_warp);
  if (threadIdx.x == 0) ranks[r] = greater + 1;
}

__global__ void __launch_bounds__(threads_a_block)
    sum_ranks(const std::int32_t* ranks, std::int64_t first, const std::int32_t* count, std::int64_t rows,
              double* sum) {
  RankPartials& partials = shared<RankPartials>();
  const std::int64_t valid = valid_rows(count, first, rows);
  std::int64_t total = 0;
  for (std::int64_t r = threadIdx.x; r < valid; r += threads_a_block) total += ranks[r];
  total = block_sum(total, partials.of_warp);
  if (threadIdx.x == 0) *sum += static_cast<double>(total);
}

}  // namespace

namespace cuda {

void add_joint_counts(Queue& queue, const Tensor& first, const Tensor& second, const Tensor& sums) {
  const Queue::Region region(queue, "tenfold::joint_counts");
  detail::expect_joint_counts(first, second, sums);
  launch(count_pairs, Grid{dim3(1), dim3(threads_a_block), sizeof(CountPartials)}, stream_of(queue),
         first.data<std::int32_t>(), second.data<std::int32_t>(), first.elements(), sums.data<double>());
}

void add_label_ranks(Queue& queue, const Tensor& logits, const Tensor& labels, std::int64_t first, const Tensor& count,
                     const Tensor& sum) {
  const Queue::Region region(queue, "tenfold::label_ranks");
  detail::expect_label_ranks(logits, labels, count, sum);
  const std::int64_t rows = logits[0];
  if (rows == 0) return;
  auto* ranks = stream_queue(queue).scratch<std::int32_t>(rows);
  const auto* valid = count.data<std::int32_t>();
  launch(rank_labels, Grid{dim3(static_cast<unsigned>(rows)), dim3(threads_a_block), sizeof(CountPartials)},
         stream_of(queue), logits.data<float>(), labels.data<std::int32_t>(), first, valid, rows,
         static_cast<int>(logits[1]), ranks);
  launch(sum_ranks, Grid{dim3(1), dim3(threads_a_block), sizeof(RankPartials)}, stream_of(queue), ranks, first, valid,
         rows, sum.data<double>());
}

}  // namespace cuda

const Implementation add_joint_counts_on_cuda{add_joint_counts, DeviceKind::cuda, cuda::add_joint_counts};
const Implementation add_label_ranks_on_cuda{add_label_ranks, DeviceKind::cuda, cuda::add_label_ranks};

}  // namespace tenfold::kernels

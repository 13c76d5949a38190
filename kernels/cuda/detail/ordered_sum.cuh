#pragma once
// Sums in f64 in an order that follows from the number of terms alone: no atomics.

#include "kernels/cuda/detail/operands.cuh"
#include "kernels/cuda/detail/vectors.cuh"

namespace tenfold::cuda {

namespace detail {

constexpr int sum_warps = threads_a_block / 32;

struct SumPartials {
  double of_warp[sum_warps];
};

template <class T, class Term>
__global__ void __launch_bounds__(threads_a_block)
    sum_parts(const T* values, std::int64_t count, Term term, double* parts) {
  SumPartials& partials = shared<SumPartials>();
  double sum = 0;
  for (std::int64_t i = first_of_grid(); i < count; i += stride_of_grid()) sum += term(values[i]);
  sum = block_sum(sum, partials.of_warp);
  if (threadIdx.x == 0) parts[blockIdx.x] = sum;
}

template <class Finish>
__global__ void __launch_bounds__(threads_a_block) finish_sum(const double* parts, int count, Finish finish) {
  SumPartials& partials = shared<SumPartials>();
  double sum = 0;
  for (int i = static_cast<int>(threadIdx.x); i < count; i += threads_a_block) sum += parts[i];
  sum = block_sum(sum, partials.of_warp);
  if (threadIdx.x == 0) finish(sum);
}

}  // namespace detail

/// What may become of a sum: it is added to *total.
struct Accumulate {
  double* total;
  __device__ void operator()(double sum) const { *total += sum; }
};

/// finish(sum of term(values[i])). Term and Finish are function objects that a kernel can take. Uses the queue's
/// scratch.
template <class T, class Term, class Finish>
void ordered_sum(StreamQueue& queue, const T* values, std::int64_t count, Term term, Finish finish) {
  Grid grid = grid_over((count + 15) / 16);  // several terms a thread
  grid.shared = sizeof(detail::SumPartials);
  auto* parts = queue.scratch<double>(grid.blocks.x);
  launch(detail::sum_parts<T, Term>, grid, queue.stream(), values, count, term, parts);
  launch(detail::finish_sum<Finish>, Grid{dim3(1), dim3(threads_a_block), sizeof(detail::SumPartials)}, queue.stream(),
         parts, static_cast<int>(grid.blocks.x), finish);
}

}  // namespace tenfold::cuda

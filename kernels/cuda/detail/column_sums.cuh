#pragma once
// Sums over rows: each block of a kernel leaves those of its own rows, and these are added up in order.

#include "kernels/cuda/detail/operands.cuh"

namespace tenfold::cuda {

/// The blocks of a kernel that sums over `rows` rows: a number that follows from them alone.
inline int row_parts(std::int64_t rows) {
  constexpr std::int64_t most = 264, rows_a_part = 8;  // twice the multiprocessors of a large GPU
  return static_cast<int>(std::clamp((rows + rows_a_part - 1) / rows_a_part, std::int64_t{1}, most));
}
/// Rows [begin, end) are those of part `index` of `parts`.
struct RowRange {
  std::int64_t begin, end;
  __device__ RowRange(std::int64_t rows, unsigned index, unsigned parts)
      : begin(rows * index / parts), end(rows * (index + std::int64_t{1}) / parts) {}
};

namespace detail {

static __global__ void __launch_bounds__(threads_a_block)
    add_parts(const float* partials, int parts, std::int64_t stride, std::int64_t width, float* sums) {
  for (std::int64_t c = first_of_grid(); c < width; c += stride_of_grid()) {
    float sum = 0;
    for (int part = 0; part < parts; ++part) sum += partials[part * stride + c];
    sums[c] += sum;
  }
}

}  // namespace detail

/// sums[c] += sum over parts of partials[part * stride + c], for c < width.
inline void add_parts(cudaStream_t stream, const float* partials, int parts, std::int64_t stride, std::int64_t width,
                      float* sums) {
  launch(detail::add_parts, grid_over(width), stream, partials, parts, stride, width, sums);
}

}  // namespace tenfold::cuda

#pragma once
// A warp a row of a matrix, a lane eight columns at a time:
//
//   for (std::int64_t n = first_row(); n < rows; n += stride_of_rows())
//     for (int c = first_column(); c < width; c += columns_of_warp)

#include "kernels/cuda/detail/operands.cuh"
#include "kernels/cuda/detail/vectors.cuh"

namespace tenfold::cuda {

inline Grid grid_over_rows(std::int64_t rows, SourcePlace where = SourcePlace::current()) {
  return grid_over(32 * rows, where);
}
__device__ inline std::int64_t first_row() {
  return first_of_grid() / 32;
}
__device__ inline std::int64_t stride_of_rows() {
  return stride_of_grid() / 32;
}

constexpr int columns_of_warp = 256;
__device__ inline int first_column() {
  return 8 * static_cast<int>(threadIdx.x % 32);
}

/// Every bit of elements [column, column + 8) of a row of `width`.
template <class T>
__device__ void copy8(const T* from, T* to, int column, int width) {
  if (width % 8 == 0) {
    const auto* source = reinterpret_cast<const uint4*>(from + column);
    auto* destination = reinterpret_cast<uint4*>(to + column);
#pragma unroll
    for (int i = 0; i < static_cast<int>(8 * sizeof(T) / sizeof(uint4)); ++i) destination[i] = source[i];
    return;
  }
#pragma unroll
  for (int i = 0; i < 8; ++i)
    if (column + i < width) to[column + i] = from[column + i];
}

}  // namespace tenfold::cuda

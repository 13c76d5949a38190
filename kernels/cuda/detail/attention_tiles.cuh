#pragma once
// Rows of one head in shared memory, and a warp's products of them: bf16 on tensor cores, f32 by plain arithmetic.
//
// A warp's sums are of 16 rows and lie over its lanes as D does in mma.cuh: sums[n][e] of lane l is that of
//   row l / 4 + 8 * (e / 2), column 8 * n + 2 * (l % 4) + e % 2

#include "kernels/cuda/detail/copy.cuh"
#include "kernels/cuda/detail/mma.cuh"

namespace tenfold::cuda::attention {

constexpr int warp_rows = 16;

__device__ inline int lane() {
  return static_cast<int>(threadIdx.x % 32);
}

/// Pitch: eight rows at the same 16 bytes fall into all banks, each once.
template <class T, int rows_, int width_>
struct Tile {
  static constexpr int rows = rows_, width = width_;
  T row[rows][width + 16 / static_cast<int>(sizeof(T))];
};

/// The rows of a sequence as far as a head sees them.
template <class T>
struct HeadRows {
  T* first;
  int stride;
};

/// Rows from `first` on of a sequence of `length`, by `threads` threads: zeros behind its end and behind the width of
/// the head. They have arrived after the next copy_commit, its copy_wait and a barrier.
template <int threads, class T, int rows, int width>
__device__ void fetch(Tile<T, rows, width>& tile, const HeadRows<const T>& from, int first, int length,
                      int head_width) {
  constexpr int piece = 16 / static_cast<int>(sizeof(T)), pieces = width / piece;
  const bool aligned = head_width % piece == 0;
  for (int i = static_cast<int>(threadIdx.x); i < rows * pieces; i += threads) {
    const int row = i / pieces, column = i % pieces * piece;
    const bool inside = first + row < length;
    const T* source = from.first + static_cast<std::int64_t>(inside ? first + row : 0) * from.stride;
    if (aligned) {
      const bool valid = inside && column < head_width;
      copy_async(&tile.row[row][column], source + (valid ? column : 0), valid);
      continue;
    }
    for (int c = column; c < column + piece; ++c)
      tile.row[row][c] = inside && c < head_width ? source[c] : from_float<T>(0);
  }
}

/// sums += a b^T over the width, for the 16 rows of a from `first` on.
template <int rows, int count, int width>
__device__ void multiply_transposed(const Tile<__nv_bfloat16, rows, width>& a, int first,
                                    const Tile<__nv_bfloat16, count, width>& b, float (&sums)[count / 8][4]) {
  const int l = lane();
#pragma unroll
  for (int k = 0; k < width; k += 16) {
    std::uint32_t left[4];
    load_matrices<false>(left, &a.row[first + l % 16][k + 8 * (l / 16)]);
#pragma unroll
    for (int n = 0; n < count / 8; n += 2) {
      std::uint32_t right[4];
      load_matrices<false>(right, &b.row[8 * n + l % 8 + 8 * (l / 16)][k + 8 * (l / 8 % 2)]);
      mma(sums[n], left, {right[0], right[1]});
      mma(sums[n + 1], left, {right[2], right[3]});
    }
  }
}
template <int rows, int count, int width>
__device__ void multiply_transposed(const Tile<float, rows, width>& a, int first, const Tile<float, count, width>& b,
                                    float (&sums)[count / 8][4]) {
  const auto four = [](const float* from) { return *reinterpret_cast<const float4*>(from); };
  const int row = first + lane() / 4, column = 2 * (lane() % 4);
#pragma unroll 1
  for (int k = 0; k < width; k += 4) {
    const float4 left[2] = {four(&a.row[row][k]), four(&a.row[row + 8][k])};
#pragma unroll
    for (int n = 0; n < count / 8; ++n) {
#pragma unroll
      for (int e = 0; e < 4; ++e) {
        const float4 x = left[e / 2], y = four(&b.row[8 * n + column + e % 2][k]);
        sums[n][e] = fmaf(x.w, y.w, fmaf(x.z, y.z, fmaf(x.y, y.y, fmaf(x.x, y.x, sums[n][e]))));
      }
    }
  }
}

/// sums += a b, where a, [16, count], lies over the lanes as sums do. bf16 rounds it.
template <int count, int width>
__device__ void multiply(const float (&a)[count / 8][4], const Tile<__nv_bfloat16, count, width>& b,
                         float (&sums)[width / 8][4]) {
  const int l = lane();
#pragma unroll
  for (int k = 0; k < count / 8; k += 2) {
    const std::uint32_t left[4] = {pack(a[k][0], a[k][1]), pack(a[k][2], a[k][3]), pack(a[k + 1][0], a[k + 1][1]),
                                   pack(a[k + 1][2], a[k + 1][3])};
#pragma unroll
    for (int n = 0; n < width / 8; n += 2) {
      std::uint32_t right[4];
      load_matrices<true>(right, &b.row[8 * k + l % 16][8 * n + 8 * (l / 16)]);
      mma(sums[n], left, {right[0], right[1]});
      mma(sums[n + 1], left, {right[2], right[3]});
    }
  }
}
template <int count, int width>
__device__ void multiply(const float (&a)[count / 8][4], const Tile<float, count, width>& b,
                         float (&sums)[width / 8][4]) {
  const int column = 2 * (lane() % 4);
#pragma unroll
  for (int k = 0; k < count / 8; ++k) {
#pragma unroll 1
    for (int owner = 0; owner < 4; ++owner) {  // which of the four lanes of a row has the elements
#pragma unroll
      for (int e = 0; e < 2; ++e) {
        const float above = __shfl_sync(0xffffffffU, a[k][e], owner, 4);
        const float below = __shfl_sync(0xffffffffU, a[k][e + 2], owner, 4);
        const float* row = &b.row[8 * k + 2 * owner + e][column];
#pragma unroll
        for (int n = 0; n < width / 8; ++n) {
          const float2 right = *reinterpret_cast<const float2*>(row + 8 * n);
          sums[n][0] = fmaf(above, right.x, sums[n][0]);
          sums[n][1] = fmaf(above, right.y, sums[n][1]);
          sums[n][2] = fmaf(below, right.x, sums[n][2]);
          sums[n][3] = fmaf(below, right.y, sums[n][3]);
        }
      }
    }
  }
}

/// A warp's sums, those of the lane's rows times their factors, to a sequence's rows from `first` on.
template <class T, int blocks>
__device__ void store(const HeadRows<T>& to, int first, int length, int head_width, const float (&sums)[blocks][4],
                      const float (&factors)[2]) {
#pragma unroll
  for (int r = 0; r < 2; ++r) {
    const int row = first + lane() / 4 + 8 * r;
    if (row >= length) continue;
    T* out = to.first + static_cast<std::int64_t>(row) * to.stride;
#pragma unroll
    for (int n = 0; n < blocks; ++n) {
      const int column = 8 * n + 2 * (lane() % 4);
      const float low = sums[n][2 * r] * factors[r], high = sums[n][2 * r + 1] * factors[r];
      if (head_width % 2 == 0) {
        if (column >= head_width) continue;
        if constexpr (sizeof(T) == 2) {
          *reinterpret_cast<std::uint32_t*>(out + column) = pack(low, high);
        } else {
          *reinterpret_cast<float2*>(out + column) = float2{low, high};
        }
        continue;
      }
      if (column < head_width) out[column] = from_float<T>(low);
      if (column + 1 < head_width) out[column + 1] = from_float<T>(high);
    }
  }
}

/// body(step) for steps 0, 1, ..., while fetch(step + 1) is under way; stage step % 2 of what they share is free again
/// when all have left the body.
template <class Fetch, class Body>
__device__ void pipeline(int steps, const Fetch& fetch, const Body& body) {
  fetch(0);
  copy_commit();
  for (int step = 0; step < steps; ++step) {
    if (step + 1 < steps) fetch(step + 1);
    copy_commit();  // also without a copy: the wait below counts groups
    copy_wait<1>();
    __syncthreads();  // every thread's part of this stage has arrived
    body(step);
    __syncthreads();  // all have read it
  }
}

}  // namespace tenfold::cuda::attention

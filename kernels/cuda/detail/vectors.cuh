#pragma once
// Rows of a matrix eight elements at a time, in f32, and sums over a warp and a block.

#include "kernels/cuda/detail/device.cuh"

namespace tenfold::cuda {

__device__ inline float to_float(float value) {
  return value;
}
__device__ inline float to_float(__nv_bfloat16 value) {
  return __bfloat162float(value);
}
template <class T>
__device__ T from_float(float value) {
  if constexpr (sizeof(T) == sizeof(float)) {
    return value;
  } else {
    return __float2bfloat16_rn(value);
  }
}

/// What is kept of a value in storage of type T.
template <class T>
__device__ float rounded(float value) {
  return to_float(from_float<T>(value));
}

/// Two values as bf16 in one word, the first in the lower half.
__device__ inline std::uint32_t pack(float low, float high) {
  const __nv_bfloat162 pair = __floats2bfloat162_rn(low, high);
  std::uint32_t bits;
  memcpy(&bits, &pair, sizeof bits);
  return bits;
}

/// From and to 16-byte aligned memory.
__device__ inline void load8(const float* source, float (&values)[8]) {
  const float4 low = *reinterpret_cast<const float4*>(source), high = *reinterpret_cast<const float4*>(source + 4);
  values[0] = low.x, values[1] = low.y, values[2] = low.z, values[3] = low.w;
  values[4] = high.x, values[5] = high.y, values[6] = high.z, values[7] = high.w;
}
__device__ inline void load8(const __nv_bfloat16* source, float (&values)[8]) {
  const uint4 bits = *reinterpret_cast<const uint4*>(source);
  const std::uint32_t words[4] = {bits.x, bits.y, bits.z, bits.w};
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    values[2 * i] = __uint_as_float(words[i] << 16U);
    values[2 * i + 1] = __uint_as_float(words[i] & 0xffff0000U);
  }
}
__device__ inline void store8(float* destination, const float (&values)[8]) {
  *reinterpret_cast<float4*>(destination) = float4{values[0], values[1], values[2], values[3]};
  *reinterpret_cast<float4*>(destination + 4) = float4{values[4], values[5], values[6], values[7]};
}
__device__ inline void store8(__nv_bfloat16* destination, const float (&values)[8]) {
  *reinterpret_cast<uint4*>(destination) = uint4{pack(values[0], values[1]), pack(values[2], values[3]),
                                                 pack(values[4], values[5]), pack(values[6], values[7])};
}

/// Elements [column, column + 8) of a row of `width`, 0 behind its end. Rows that are no multiple of eight wide, and so
/// not aligned, are read one by one.
template <class T>
__device__ void load8(const T* row, int column, int width, float (&values)[8]) {
  if (width % 8 == 0) {
    load8(row + column, values);
    return;
  }
#pragma unroll
  for (int i = 0; i < 8; ++i) values[i] = column + i < width ? to_float(row[column + i]) : 0.0F;
}
template <class T>
__device__ void store8(T* row, int column, int width, const float (&values)[8]) {
  if (width % 8 == 0) {
    store8(row + column, values);
    return;
  }
#pragma unroll
  for (int i = 0; i < 8; ++i)
    if (column + i < width) row[column + i] = from_float<T>(values[i]);
}

template <class T>
__device__ T warp_sum(T value) {
#pragma unroll
  for (int bits = 16; bits > 0; bits /= 2) value += __shfl_xor_sync(0xffffffffU, value, bits);
  return value;
}

/// Sum over a block of `warps` warps; every thread gets it. Both barriers are needed: the second lets the next sum
/// reuse `partial`.
template <int warps, class T>
__device__ T block_sum(T value, T (&partial)[warps]) {
  const T sum = warp_sum(value);
  if (threadIdx.x % 32 == 0) partial[threadIdx.x / 32] = sum;
  __syncthreads();
  T total = 0;
#pragma unroll
  for (int w = 0; w < warps; ++w) total += partial[w];
  __syncthreads();
  return total;
}

}  // namespace tenfold::cuda

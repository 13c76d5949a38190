#pragma once
// Between storage types and f32 arithmetic, written so that compilers vectorise it. It works on bits: NaN stays NaN.

#include <bit>

#include "base/tensor.hpp"

#ifdef __AVX512BF16__
#include <immintrin.h>
#endif

namespace tenfold::kernels::detail {

inline float to_float(float value) {
  return value;
}
inline float to_float(BFloat16 value) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(value.bits) << 16U);
}

/// The value as T, rounded to nearest even; overflow gives infinity, NaN stays NaN.
template <class T>
inline T from_float(float value);

template <>
inline float from_float<float>(float value) {
  return value;
}

template <>
inline BFloat16 from_float<BFloat16>(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const std::uint32_t rounded = bits + 0x7fffU + ((bits >> 16U) & 1U);
  const bool is_nan = (bits & 0x7fffffffU) > 0x7f800000U;  // rounding could carry a NaN into infinity or zero
  return {static_cast<std::uint16_t>((is_nan ? bits | 0x400000U : rounded) >> 16U)};
}

// Loops of more than a few operations run faster over f32 alone, with bf16 going through a buffer that stays in cache:
//
//   const float* in = load(x, count, buffer);
//   float* out = target(y, buffer);
//   for (i...) out[i] = ... in[i] ...;
//   store(out, count, y);

/// The values as f32: themselves, or in `buffer`.
inline const float* load(const float* values, std::int64_t /*count*/, float* /*buffer*/) {
  return values;
}
inline const float* load(const BFloat16* values, std::int64_t count, float* buffer) {
#pragma omp simd
  for (std::int64_t i = 0; i < count; ++i) buffer[i] = to_float(values[i]);
  return buffer;
}

/// Where to compute what shall go to `destination`: there, or in `buffer`.
inline float* target(float* destination, float* /*buffer*/) {
  return destination;
}
inline float* target(BFloat16* /*destination*/, float* buffer) {
  return buffer;
}

/// Brings what was computed at the target to its destination.
inline void store(const float* /*values*/, std::int64_t /*count*/, float* /*destination*/) {}
inline void store(const float* values, std::int64_t count, BFloat16* destination) {
  std::int64_t first = 0;
#ifdef __AVX512BF16__
  // One instruction instead of ten; unlike from_float it takes subnormal numbers (below 1.2e-38) for zero.
  for (; first + 16 <= count; first += 16) {
    const auto rounded = std::bit_cast<__m256i>(_mm512_cvtneps_pbh(_mm512_loadu_ps(values + first)));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(destination + first), rounded);
  }
#endif
#pragma omp simd
  for (std::int64_t i = first; i < count; ++i) destination[i] = from_float<BFloat16>(values[i]);
}

}  // namespace tenfold::kernels::detail

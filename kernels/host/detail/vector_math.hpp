#pragma once
// exp and the normal distribution in f32 as plain arithmetic, so that loops over them vectorise on any processor,
// without a vector library and without fast-math; NaN in gives NaN out. Polynomials: own weighted minimax fits.

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>

#ifdef __FAST_MATH__
#error "fast-math would fold away the rounding below"
#endif

namespace tenfold::kernels::detail {

/// e^x to about one unit in the last place for x in [-87, 88]; e^-87 = 1.6e-38 below. Not for greater x.
inline float exponential(float x) {
  constexpr float log2_e = 1.44269504F;
  constexpr float ln2_high = 0.693359375F;  // few bits, so that its product with n is exact
  constexpr float ln2_low = -2.12194440e-4F;
  constexpr float round_shift = 0x1.8p23F;  // adding it leaves the nearest integer in the low bits
  x = std::max(x, -87.0F);
  const float shifted = x * log2_e + round_shift;
  const float n = shifted - round_shift;
  const float r = (x - n * ln2_high) - n * ln2_low;
  float p = 1.38144672e-3F;
  p = p * r + 8.36878084e-3F;
  p = p * r + 4.16683927e-2F;
  p = p * r + 1.66665196e-1F;
  p = p * r + 4.99999940e-1F;
  p = p * r + 1.0F;
  p = p * r + 1.0F;
  const float power = std::bit_cast<float>((std::bit_cast<std::uint32_t>(shifted) + 127U) << 23U);
  return p * power;
}

/// Distribution and density of the standard normal distribution at a point.
struct Normal {
  float distribution, density;
};

/// Both to an absolute error of 1e-7. For t = |x|: distribution(-t) = e^(-t^2 / 2) R(t), where R (half the scaled
/// complementary error function) is smooth enough for a polynomial; beyond t = 5 the distribution is below 3e-7.
inline Normal standard_normal(float x) {
  constexpr float rsqrt_2pi = 0.398942280F;
  const float t = std::min(std::abs(x), 5.0F);
  float p = -2.57081524e-7F;
  p = p * t + 6.59739044e-6F;
  p = p * t - 7.58528913e-5F;
  p = p * t + 5.24125702e-4F;
  p = p * t - 2.48377468e-3F;
  p = p * t + 8.82434193e-3F;
  p = p * t - 2.52816249e-2F;
  p = p * t + 6.18011653e-2F;
  p = p * t - 1.32760584e-1F;
  p = p * t + 2.49964222e-1F;
  p = p * t - 3.98940027e-1F;
  p = p * t + 4.99999970e-1F;
  const float gauss = exponential(-0.5F * x * x);
  const float below = p * gauss;
  return {x < 0 ? below : 1.0F - below, rsqrt_2pi * gauss};
}

}  // namespace tenfold::kernels::detail

#include "kernels/host/detail/softmax_draws.hpp"

#include <algorithm>
#include <bit>

#include "kernels/host/detail/blocks.hpp"

namespace tenfold::kernels::detail {
namespace {

constexpr float no_exponent = -1e9F;
/// Beyond it f32 no longer tells neighbouring weights apart; `removed` lies far below.
constexpr float greatest_exponent = 0x1p20F;

/// Bounds of 2^(logit * scale - exponent): the straight line through the powers of two on either side, which a float's
/// bits hold when taken for a number. At most 1.062 times what it bounds; 0 below 2^-126.
struct Bound {
  float slope, offset;
  Bound(float scale, float exponent) : slope(scale * 0x1p23F), offset((127 - exponent) * 0x1p23F) {}
  float operator()(float logit) const {
    const float bits = logit * slope + offset;
    return std::bit_cast<float>(static_cast<std::int32_t>(bits > 0 ? bits : 0));
  }
};
/// Covers the rounding of `bits`, a relative error of at most 2^-17.
constexpr double bound_margin = 1 + 0x1p-15;

struct BlockWeights;  // names the scratch

struct Pick {
  std::int64_t index;
  double rest;  ///< uniform in [0, 1) again, given the index
};

/// An index with probability weight / sum of weights, -1 if that is 0; u in [0, 1). count: a multiple of draw_lanes.
Pick pick(const float* weights, std::int64_t count, double u) {
  double lanes[draw_lanes] = {};
  for (std::int64_t i = 0; i < count; i += draw_lanes)
#pragma omp simd
    for (std::int64_t lane = 0; lane < draw_lanes; ++lane) lanes[lane] += weights[i + lane];
  double below[draw_lanes + 1];
  below[0] = 0;
  for (std::int64_t lane = 0; lane < draw_lanes; ++lane) below[lane + 1] = below[lane] + lanes[lane];
  if (!(below[draw_lanes] > 0)) return {-1, 0};
  const double target = u * below[draw_lanes];
  std::int64_t lane = 0;
  for (std::int64_t i = 1; i < draw_lanes; ++i) lane += below[i] <= target ? 1 : 0;
  // Less than the lane's own sum whatever the rounding, so that the search ends on a weight that is not 0.
  const double left = std::min(target - below[lane], lanes[lane] * (1 - 0x1p-50));
  double passed = 0;
  std::int64_t index = lane;
  while (passed + weights[index] <= left) {
    passed += weights[index];
    index += draw_lanes;
  }
  return {index, std::min((left - passed) / weights[index], 1 - 0x1p-53)};
}

}  // namespace

void RowMasses::measure(std::int64_t block, const float* logits, float scale) const {
  float greatest = removed;
#pragma omp simd reduction(max : greatest)
  for (std::int64_t i = 0; i < draw_block; ++i) greatest = logits[i] > greatest ? logits[i] : greatest;
  const float power = std::floor(greatest * scale);
  if (!(std::abs(power) <= greatest_exponent)) return clear(block, block + 1);
  exponent[block] = power;
  const Bound bound(scale, exponent[block]);
  float total = 0;
#pragma omp simd reduction(+ : total)
  for (std::int64_t i = 0; i < draw_block; ++i) total += bound(logits[i]);
  sum[block] = total;
}

void RowMasses::clear(std::int64_t begin, std::int64_t end) const {
  std::fill(sum + begin, sum + end, 0.0F);
  std::fill(exponent + begin, exponent + end, no_exponent);
}

std::int32_t draw_token(const RowLogits& logits, const RowMasses& masses, std::int64_t blocks, float scale,
                        DrawStream& stream) {
  const std::int64_t count = RowMasses::padded_blocks(blocks);
  float* weights = scratch<float, BlockWeights>(count);
  float top = no_exponent;
#pragma omp simd reduction(max : top)
  for (std::int64_t b = 0; b < count; ++b) top = std::max(top, masses.exponent[b]);
#pragma omp simd
  for (std::int64_t b = 0; b < count; ++b) {
    const float power = std::max(masses.exponent[b] - top, -127.0F) + 127;
    weights[b] = masses.sum[b] * std::bit_cast<float>(static_cast<std::int32_t>(power) << 23);
  }
  while (true) {
    const auto [place, accept] = stream.next();
    const Pick block = pick(weights, count, place);
    if (block.index < 0) return -1;
    const float* in_block = logits.block(block.index);
    const float exponent = masses.exponent[block.index];
    const Bound bound(scale, exponent);
    float bounds[draw_block];
#pragma omp simd
    for (std::int64_t i = 0; i < draw_block; ++i) bounds[i] = bound(in_block[i]);
    const std::int64_t index = pick(bounds, draw_block, block.rest).index;
    const double weight = std::exp2(static_cast<double>(in_block[index]) * scale - exponent);
    if (accept * (bounds[index] * bound_margin) < weight)
      return static_cast<std::int32_t>(block.index * draw_block + index);
  }
}

void remove_token(const RowLogits& logits, const RowMasses& masses, std::int32_t token, float scale) {
  const std::int64_t block = token / draw_block;
  float* in_block = logits.block(block);
  in_block[token % draw_block] = removed;
  masses.measure(block, in_block, scale);
}

}  // namespace tenfold::kernels::detail

#include "kernels/host/detail/softmax_draws.hpp"

#include <algorithm>
#include <bit>
#include <cmath>

#include "kernels/host/detail/blocks.hpp"

namespace tenfold::kernels::detail {
namespace {

/// Bounds of 2^(logit * scale - exponent): the straight line through the powers of two on either side, which is what
/// the bits of a float say when taken for a number. At most 1.062 times what it bounds; 0 below 2^-126. Rounded once,
/// as fma says, so that all compilers and devices give the same bits.
struct Bound {
  float slope, offset;
  Bound(float scale, float exponent) : slope(scale * 0x1p23F), offset((127 - exponent) * 0x1p23F) {}
  float operator()(float logit) const {
    return std::bit_cast<float>(static_cast<std::int32_t>(std::max(0.0F, std::fma(logit, slope, offset))));
  }
};

struct Found {
  std::int64_t index;
  std::uint32_t left;  ///< the target less the weights before it
};

/// The first index at which the weights sum to more than the target. Looks at all: a branch would be guessed wrong.
Found find(const std::uint32_t* weights, std::int64_t stride, std::int64_t count, std::uint32_t target) {
  std::uint32_t sum = 0, passed = 0;
  std::int64_t index = 0;
  for (std::int64_t i = 0; i < count; ++i) {
    sum += weights[i * stride];
    passed = sum <= target ? sum : passed;
    index += sum <= target ? 1 : 0;
  }
  return {index, target - passed};
}

/// The sums of weights with the same remainder of the index by draw_lanes.
struct Lanes {
  std::uint32_t sums[draw_lanes] = {};
  std::uint32_t total = 0;

  Lanes(const std::uint32_t* weights, std::int64_t count) {
    for (std::int64_t i = 0; i < count; i += draw_lanes)
#pragma omp simd
      for (std::int64_t lane = 0; lane < draw_lanes; ++lane) sums[lane] += weights[i + lane];
    for (std::uint32_t sum : sums) total += sum;
  }
  /// An index such that each has as many targets in [0, total) as its weight says.
  std::int64_t pick(const std::uint32_t* weights, std::int64_t count, std::uint32_t target) const {
    const auto [lane, left] = find(sums, 1, draw_lanes, target);
    return find(weights + lane, draw_lanes, count / draw_lanes, left).index * draw_lanes + lane;
  }
};

/// A block to propose a token of.
struct Proposal {
  std::int64_t block;  ///< -1: no token of the row has mass
  std::uint64_t for_token;
  std::uint32_t threshold;
  float top;       ///< greatest exponent of the row
  double density;  ///< of the block, against 2^top
};

Proposal propose_block(RowDraws& row, std::int64_t blocks, float* scaled, std::uint32_t* masses) {
  const float *sum = row.masses.sum, *exponent = row.masses.exponent;
  float top = no_exponent;
#pragma omp simd reduction(max : top)
  for (std::int64_t b = 0; b < blocks; ++b) top = exponent[b] > top ? exponent[b] : top;
  float total = 0;
#pragma omp simd reduction(+ : total)
  for (std::int64_t b = 0; b < blocks; ++b) {
    const float power = std::max(exponent[b] - top, -127.0F) + 127;
    scaled[b] = sum[b] * std::bit_cast<float>(static_cast<std::int32_t>(power) << 23);
    total += scaled[b];
  }
  if (!(total > 0)) return {-1, 0, 0, top, 0};
  const float units = mass_unit / total;
#pragma omp simd
  for (std::int64_t b = 0; b < blocks; ++b)
    masses[b] = static_cast<std::uint32_t>(static_cast<std::int32_t>(scaled[b] * units) + (sum[b] > 0 ? 1 : 0));
  const Lanes lanes(masses, blocks);
  const ProposalNumbers numbers = row.stream.next();
  const std::int64_t block = lanes.pick(masses, blocks, place_among(lanes.total, numbers.block));
  const float* logits = row.logits.block(block);
  for (std::int64_t i = 0; i < draw_block; i += 16) __builtin_prefetch(logits + i);
  return {block, numbers.token, numbers.threshold, top, static_cast<double>(masses[block]) / units};
}

/// A token of the proposed block, or -1 if it is not accepted. With `remove` it is not drawn again.
std::int32_t propose_token(const RowDraws& row, const Proposal& proposal, float scale, bool remove) {
  float* logits = row.logits.block(proposal.block);
  const Bound bound(scale, row.masses.exponent[proposal.block]);
  std::uint32_t bounds[draw_block];
#pragma omp simd
  for (std::int64_t i = 0; i < draw_block; ++i)
    bounds[i] = static_cast<std::uint32_t>(static_cast<std::int32_t>(bound(logits[i]) * bound_unit) + 1);
  const Lanes lanes(bounds, draw_block);
  const std::int64_t token = lanes.pick(bounds, draw_block, place_among(lanes.total, proposal.for_token));
  const double weight = std::exp2(static_cast<double>(logits[token]) * scale - proposal.top);
  if (!accepts(proposal.threshold, proposal.density * bounds[token], weight * lanes.total))
    return -1;  // nor where the logit is NaN
  if (remove) {
    logits[token] = removed;
    const auto rest = static_cast<float>(lanes.total - bounds[token]) / bound_unit;
    if (rest > least_rest)
      row.masses.sum[proposal.block] = rest;
    else
      row.masses.measure(proposal.block, proposal.block + 1, logits, scale);
  }
  return static_cast<std::int32_t>(proposal.block * draw_block + token);
}

struct ForBlocks;  // names the scratch

}  // namespace

void RowMasses::measure(std::int64_t begin, std::int64_t end, const float* logits, float scale) const {
  for (std::int64_t b = begin; b < end; ++b) {
    const float* block = logits + (b - begin) * draw_block;
    float greatest = removed;
#pragma omp simd reduction(max : greatest)
    for (std::int64_t i = 0; i < draw_block; ++i) greatest = block[i] > greatest ? block[i] : greatest;
    exponent[b] = std::floor(greatest * scale);
  }
  for (std::int64_t b = begin; b < end; ++b) {
    if (!(std::abs(exponent[b]) <= greatest_exponent)) {
      clear(b, b + 1);
      continue;
    }
    const float* block = logits + (b - begin) * draw_block;
    const Bound bound(scale, exponent[b]);
    float total = 0;
#pragma omp simd reduction(+ : total)
    for (std::int64_t i = 0; i < draw_block; ++i) total += bound(block[i]);
    sum[b] = total;
  }
}

void RowMasses::clear(std::int64_t begin, std::int64_t end) const {
  std::fill(sum + begin, sum + end, 0.0F);
  std::fill(exponent + begin, exponent + end, no_exponent);
}

void draw_tokens(std::span<RowDraws> rows, std::int64_t blocks, float scale, std::int64_t draws, bool replace) {
  TENFOLD_ASSERT(static_cast<std::int64_t>(rows.size()) <= rows_together, rows.size(), " rows");
  const std::int64_t padded = RowMasses::padded_blocks(blocks);
  float* scaled = scratch<float, ForBlocks>(padded);
  auto* masses = scratch<std::uint32_t, ForBlocks>(padded);
  Proposal proposals[rows_together];
  RowDraws* waiting[rows_together];
  std::size_t count = 0;
  for (RowDraws& row : rows)
    if (row.drawn < draws) waiting[count++] = &row;
  while (count > 0) {
    for (std::size_t r = 0; r < count; ++r) proposals[r] = propose_block(*waiting[r], padded, scaled, masses);
    std::size_t kept = 0;
    for (std::size_t r = 0; r < count; ++r) {
      RowDraws& row = *waiting[r];
      if (proposals[r].block < 0) continue;
      const std::int32_t token = propose_token(row, proposals[r], scale, !replace);
      if (token >= 0) row.tokens[row.drawn++] = token;
      if (row.drawn < draws) waiting[kept++] = &row;
    }
    count = kept;
  }
}

}  // namespace tenfold::kernels::detail

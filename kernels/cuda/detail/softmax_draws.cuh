#pragma once
// host/detail/softmax_draws.hpp on a device: the same proposals from the same Philox numbers. All weights are whole
// numbers of the same bits, but for what the order of the floating-point sums behind them leaves open. A block a row:
// all its warps measure, then the first one draws.

#include "kernels/cuda/detail/operands.cuh"
#include "kernels/cuda/detail/random.cuh"
#include "kernels/detail/softmax_draws.hpp"
#include "kernels/sample_tokens.hpp"

namespace tenfold::cuda {

using kernels::detail::accepts;
using kernels::detail::bound_unit;
using kernels::detail::greatest_exponent;
using kernels::detail::least_rest;
using kernels::detail::mass_unit;
using kernels::detail::no_exponent;
using kernels::detail::place_among;
using kernels::detail::ProposalNumbers;
using kernels::detail::removed;

constexpr int draw_block = static_cast<int>(kernels::detail::draw_block);
constexpr int draw_lanes = static_cast<int>(kernels::detail::draw_lanes);
constexpr int draw_warps = 4;
constexpr int draw_threads = 32 * draw_warps;
constexpr int draw_words = draw_block / 32;  ///< of a block's bits
constexpr unsigned whole_warp = 0xffffffffU;

__device__ inline int lane_of_warp() {
  return static_cast<int>(threadIdx.x % 32);
}
__device__ inline float warp_max(float value) {
#pragma unroll
  for (int bits = 16; bits > 0; bits /= 2) value = fmaxf(value, __shfl_xor_sync(whole_warp, value, bits));
  return value;
}

/// The weights of one draw lie end to end by the remainder of their index by 16, then by index; thread t of a warp
/// holds half of those with remainder t / 2, so that its weights come before those of t + 1. This is the index of its
/// i-th token of a block.
__device__ inline int token_of_block(int i) {
  return draw_lanes * (draw_block / 32 * (lane_of_warp() % 2) + i) + lane_of_warp() / 2;
}

/// Which of `blocks` blocks a thread holds, by the same order: begin, begin + 16 and so on.
struct BlockRange {
  int begin, end;
  __device__ explicit BlockRange(int blocks) {
    const int half = draw_lanes * (((blocks + draw_lanes - 1) / draw_lanes + 1) / 2);
    const bool second = lane_of_warp() % 2 != 0;
    begin = (second ? half : 0) + lane_of_warp() / 2;
    end = second ? blocks : min(half, blocks);
  }
};

/// The weights of a warp's threads end to end.
struct WarpWeights {
  std::uint32_t own, before, total;

  __device__ explicit WarpWeights(std::uint32_t weight) : own(weight) {
    std::uint32_t sum = own;
#pragma unroll
    for (unsigned distance = 1; distance < 32; distance *= 2) {
      const std::uint32_t lower = __shfl_up_sync(whole_warp, sum, distance);
      if (lane_of_warp() >= static_cast<int>(distance)) sum += lower;
    }
    before = sum - own;
    total = __shfl_sync(whole_warp, sum, 31);
  }
  /// The thread among whose weights a target in [0, total) lies.
  __device__ int owner(std::uint32_t target) const {
    return __ffs(static_cast<int>(__ballot_sync(whole_warp, target < before + own ? 1 : 0))) - 1;
  }
};

/// The random numbers of one row, one Philox block a proposal.
struct DrawStream {
  std::uint64_t key, sample;
  std::uint32_t step, position;

  __device__ ProposalNumbers next() {
    const uint4 words = philox(key, position++, step, sample);
    return {words.x, words.y, words.z, words.w};
  }
};

/// kernels::Draws as kernels read them.
struct DrawsView {
  PackedView rows;
  std::uint64_t key;
  const std::int64_t* step;

  DrawsView(const kernels::Draws& draws, std::int64_t count, const char* name)
      : rows(draws.rows, count, name), key(draws.key), step(draws.step.data<std::int64_t>()) {}

  __device__ bool has(std::int64_t n) const { return rows.sequence[n] >= 0; }
  /// Of a row that belongs to a sequence.
  __device__ DrawStream stream(std::int64_t n) const {
    const std::int32_t b = rows.sequence[n];
    return {key, static_cast<std::uint64_t>(rows.samples[b]), static_cast<std::uint32_t>(*step),
            static_cast<std::uint32_t>(n - rows.offsets[b]) << 16U};
  }
};

/// Bounds of 2^(logit * scale - exponent): the straight line through the powers of two on either side, which is what
/// the bits of a float say when taken for a number. At most 1.062 times what it bounds; 0 below 2^-126 and for NaN.
struct DrawBound {
  float slope, offset;
  __device__ DrawBound(float scale, float exponent) : slope(scale * 0x1p23F), offset((127 - exponent) * 0x1p23F) {}
  __device__ float operator()(float logit) const {
    return __uint_as_float(static_cast<unsigned>(static_cast<int>(fmaxf(0.0F, fmaf(logit, slope, offset)))));
  }
};

/// sum * 2^exponent: the sum of the bounds of 2^(logit * scale) over a block.
struct BlockMass {
  float sum, exponent;

  /// The logits of a warp; every thread gets the mass.
  __device__ static BlockMass measure(const float (&logits)[8], float scale) {
    float greatest = removed;
#pragma unroll
    for (int i = 0; i < 8; ++i) greatest = fmaxf(greatest, logits[i]);
    const float exponent = floorf(warp_max(greatest) * scale);
    if (!(fabsf(exponent) <= greatest_exponent)) return {0, no_exponent};
    const DrawBound bound(scale, exponent);
    float sum = 0;
#pragma unroll
    for (int i = 0; i < 8; ++i) sum += bound(logits[i]);
    return {warp_sum(sum), exponent};
  }
};

/// The masses of a row's blocks, in shared memory.
template <int capacity>
struct RowMasses {
  float sum[capacity];
  float exponent[capacity];
};

/// A row to draw from.
struct DrawRow {
  float* logits;
  const std::uint32_t* without;  ///< a bit for each token of whole blocks: set where it has no mass
  int blocks;
  float scale;  ///< log2(e) / temperature
  float* sum;   ///< of the blocks' masses
  float* exponent;

  /// The logits of a block, `removed` where there is none.
  __device__ void load(int block, float (&values)[8]) const {
    const uint4 bits = *reinterpret_cast<const uint4*>(without + draw_words * block + 4 * (lane_of_warp() % 2));
    const std::uint32_t words[4] = {bits.x, bits.y, bits.z, bits.w};
    const float* first = logits + std::int64_t{draw_block} * block;
#pragma unroll
    for (int i = 0; i < 8; ++i) {
      const bool gone = (words[i / 2] >> (draw_lanes * (i % 2) + lane_of_warp() / 2) & 1U) != 0;
      values[i] = gone ? removed : first[token_of_block(i)];
    }
  }
  /// The mass of a block against 2^top.
  __device__ float mass(int block, float top) const {
    const float power = fmaxf(exponent[block] - top, -127.0F) + 127;
    return sum[block] * __uint_as_float(static_cast<unsigned>(static_cast<int>(power)) << 23U);
  }
  /// As a whole number.
  __device__ std::uint32_t whole_mass(int block, float top, float units) const {
    return static_cast<std::uint32_t>(static_cast<int>(mass(block, top) * units) + (sum[block] > 0 ? 1 : 0));
  }
  __device__ void set(int block, const BlockMass& mass) const {
    sum[block] = mass.sum;
    exponent[block] = mass.exponent;
  }
};

/// By all warps.
__device__ inline void measure_row(const DrawRow& row) {
  for (int block = static_cast<int>(threadIdx.x) / 32; block < row.blocks; block += draw_warps) {
    float logits[8];
    row.load(block, logits);
    const BlockMass mass = BlockMass::measure(logits, row.scale);
    if (lane_of_warp() == 0) row.set(block, mass);
  }
  __syncthreads();
}

/// A block to propose a token of.
struct DrawProposal {
  int block;  ///< -1: no token of the row has mass
  std::uint64_t for_token;
  std::uint32_t threshold;
  float top;       ///< greatest exponent of the row
  double density;  ///< of the block, against 2^top
};

/// By one warp.
__device__ inline DrawProposal propose_block(const DrawRow& row, DrawStream& stream) {
  const BlockRange mine(row.blocks);
  float top = no_exponent, total = 0;
  for (int b = mine.begin; b < mine.end; b += draw_lanes) top = fmaxf(top, row.exponent[b]);
  top = warp_max(top);
  for (int b = mine.begin; b < mine.end; b += draw_lanes) total += row.mass(b, top);
  total = warp_sum(total);
  if (!(total > 0)) return {-1, 0, 0, top, 0};
  const float units = mass_unit / total;
  std::uint32_t own = 0;
  for (int b = mine.begin; b < mine.end; b += draw_lanes) own += row.whole_mass(b, top, units);
  const WarpWeights weights(own);
  const ProposalNumbers numbers = stream.next();
  const std::uint32_t target = place_among(weights.total, numbers.block);
  std::uint32_t before = weights.before, mass = 0;
  int block = 0;
  for (int b = mine.begin; b < mine.end; b += draw_lanes) {
    const std::uint32_t next = before + row.whole_mass(b, top, units);
    if (before <= target && target < next) {
      block = b;
      mass = next - before;
    }
    before = next;
  }
  const int owner = weights.owner(target);
  block = __shfl_sync(whole_warp, block, owner);
  mass = __shfl_sync(whole_warp, mass, owner);
  return {block, numbers.token, numbers.threshold, top, static_cast<double>(mass) / units};
}

/// By one warp: a token of the proposed block, or -1 if it is not accepted. With `remove` it is not drawn again.
__device__ inline int propose_token(const DrawRow& row, const DrawProposal& proposal, bool remove) {
  const float exponent = row.exponent[proposal.block];
  const DrawBound bound(row.scale, exponent);
  float logits[8];
  row.load(proposal.block, logits);
  std::uint32_t bounds[8], own = 0;
#pragma unroll
  for (int i = 0; i < 8; ++i) {
    bounds[i] = static_cast<std::uint32_t>(static_cast<int>(bound(logits[i]) * bound_unit) + 1);
    own += bounds[i];
  }
  const WarpWeights weights(own);
  const std::uint32_t target = place_among(weights.total, proposal.for_token);
  std::uint32_t before = weights.before, chosen = 0;
  int token = 0;
  float logit = 0;
#pragma unroll
  for (int i = 0; i < 8; ++i) {
    const std::uint32_t next = before + bounds[i];
    if (before <= target && target < next) {
      chosen = bounds[i];
      token = draw_block * proposal.block + token_of_block(i);
      logit = logits[i];
    }
    before = next;
  }
  const int owner = weights.owner(target);
  chosen = __shfl_sync(whole_warp, chosen, owner);
  token = __shfl_sync(whole_warp, token, owner);
  logit = __shfl_sync(whole_warp, logit, owner);
  const double weight = exp2(static_cast<double>(logit) * row.scale - proposal.top);
  if (!accepts(proposal.threshold, proposal.density * chosen, weight * weights.total))
    return -1;  // nor where the logit is NaN
  if (!remove) return token;
  if (lane_of_warp() == owner) row.logits[token] = removed;  // which only this thread reads again
  BlockMass rest{static_cast<float>(weights.total - chosen) / bound_unit, exponent};
  if (!(rest.sum > least_rest)) {
    row.load(proposal.block, logits);
    rest = BlockMass::measure(logits, row.scale);
  }
  if (lane_of_warp() == 0) row.set(proposal.block, rest);
  __syncwarp();
  return token;
}

/// By a block: `draws` tokens from a row, or as many as have mass, one after another; -1 in the rest of the slots.
/// Unless `replace`, a drawn token leaves the row.
__device__ inline void draw_tokens(const DrawRow& row, DrawStream stream, int draws, bool replace, int slots,
                                   std::int32_t* tokens) {
  measure_row(row);
  if (threadIdx.x >= 32) return;
  int drawn = 0;
  while (drawn < draws) {
    const DrawProposal proposal = propose_block(row, stream);
    if (proposal.block < 0) break;
    const int token = propose_token(row, proposal, !replace);
    if (token < 0) continue;
    if (lane_of_warp() == 0) tokens[drawn] = token;
    ++drawn;
  }
  for (int slot = drawn + lane_of_warp(); slot < slots; slot += 32) tokens[slot] = -1;
}

/// Extents of rows over a vocabulary.
struct DrawExtent {
  std::int64_t vocabulary;
  int blocks() const { return static_cast<int>((vocabulary + draw_block - 1) / draw_block); }
  std::int64_t words() const { return std::int64_t{draw_words} * blocks(); }
};

namespace detail {

/// Bit v of `bits`: whether v is excluded, or no token.
static __global__ void __launch_bounds__(threads_a_block)
    mark_without(const std::int32_t* excluded, int count, std::int64_t vocabulary, std::uint32_t* bits,
                 std::int64_t words) {
  for (std::int64_t w = first_of_grid(); w < words; w += stride_of_grid()) {
    const std::int64_t tokens = max(min(vocabulary - 32 * w, std::int64_t{32}), std::int64_t{0});
    std::uint32_t word = tokens == 32 ? 0U : ~0U << static_cast<unsigned>(tokens);
    for (int i = 0; i < count; ++i) {
      const auto id = static_cast<std::uint32_t>(excluded[i]);
      if (id / 32 == w) word |= 1U << id % 32;
    }
    bits[w] = word;
  }
}

}  // namespace detail

inline void mark_without(cudaStream_t stream, const Tensor& excluded, const DrawExtent& extent, std::uint32_t* bits) {
  launch(detail::mark_without, grid_over(extent.words()), stream, excluded.data<std::int32_t>(),
         static_cast<int>(excluded[0]), extent.vocabulary, bits, extent.words());
}

/// body.operator()<capacity>() with room for the masses of a row in shared memory.
template <class Body>
void by_capacity(const DrawExtent& extent, Body&& body) {
  constexpr int usual = 256, most = 4096;
  if (extent.blocks() <= usual) return body.template operator()<usual>();
  TENFOLD_VERIFY(extent.blocks() <= most, "draws from ", extent.vocabulary, " tokens, at most ", most * draw_block,
                 " on CUDA");
  return body.template operator()<most>();
}

}  // namespace tenfold::cuda

#pragma once
// Exact draws from softmax(logits / temperature), one after another, each token leaving the row as it is drawn if so
// wished: the law of Gumbel arg-max and top-k without a random number and two logarithms for every logit.
//
// By rejection (von Neumann 1951). Upper bounds of the exponentials that take four instructions each are summed over
// blocks of the vocabulary. A proposal goes by these sums to a block, then by bounds in whole numbers to a token, and
// is accepted with probability exponential / density of the proposal, so that no rounding of a bound or a sum changes
// the law. The bounds exceed the exponentials by 6.2 % at most: of 17 proposals 16 are accepted, whatever the logits.
// Block, token and acceptance go by random bits of their own (ProposalNumbers), so that logits that differ in last bits
// give the same draws, but for those that come that near to a border.

#include <span>

#include "base/check.hpp"
#include "base/random.hpp"
#include "kernels/detail/softmax_draws.hpp"

namespace tenfold::kernels::detail {

/// The random numbers of one row: Philox blocks of (key, step, sample) at positions from 65536 t on, one a proposal.
class DrawStream {
 public:
  DrawStream() = default;
  DrawStream(std::uint64_t key, std::uint32_t step, std::uint64_t sample, std::int64_t t)
      : key_(key), sample_(sample), step_(step), position_(static_cast<std::uint32_t>(t) << 16U) {}
  ProposalNumbers next() {
    const auto words = philox(key_, position_++, step_, sample_);
    return {words[0], words[1], words[2], words[3]};
  }

 private:
  std::uint64_t key_ = 0;
  std::uint64_t sample_ = 0;
  std::uint32_t step_ = 0;
  std::uint32_t position_ = 0;
};

/// Where the logits of a row lie: block b at first + (b / per_tile) * tile_stride + b % per_tile * draw_block.
struct RowLogits {
  float* first = nullptr;
  std::int64_t per_tile = 1;
  std::int64_t tile_stride = draw_block;
  float* block(std::int64_t b) const { return first + b / per_tile * tile_stride + b % per_tile * draw_block; }
};

/// The mass of each block of a row: sum * 2^exponent is the sum of the bounds of 2^(logit * scale) over its tokens,
/// where scale = log2(e) / temperature. A block with a logit of +inf, or beyond 2^20 / scale, has none; NaN and -inf
/// weigh nothing. Arrays of padded_blocks(blocks).
struct RowMasses {
  float* sum = nullptr;
  float* exponent = nullptr;

  static std::int64_t padded_blocks(std::int64_t blocks) { return (blocks + draw_lanes - 1) / draw_lanes * draw_lanes; }
  /// Blocks [begin, end), whose logits lie one after another.
  void measure(std::int64_t begin, std::int64_t end, const float* logits, float scale) const;
  /// No mass for blocks [begin, end).
  void clear(std::int64_t begin, std::int64_t end) const;
};

/// The draws of one row.
struct RowDraws {
  RowLogits logits;
  RowMasses masses;  ///< measured
  DrawStream stream;
  std::int32_t* tokens = nullptr;  ///< of the draws, in order
  std::int64_t drawn = 0;
};

/// Rows that draw in turns, so that none waits for the memory or the arithmetic of another.
inline constexpr std::int64_t rows_together = 16;

/// Until each of at most rows_together rows has drawn `draws` tokens or has no mass left. Unless `replace`, a drawn
/// token loses its logit and mass.
void draw_tokens(std::span<RowDraws> rows, std::int64_t blocks, float scale, std::int64_t draws, bool replace);

}  // namespace tenfold::kernels::detail

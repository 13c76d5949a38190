#pragma once
// The numbers by which any device draws from softmax distributions (host/detail/softmax_draws.hpp says how): with the
// same ones it makes the same proposals and accepts the same tokens, but where rounding decides.

#include <cstdint>

#include "kernels/detail/any_device.hpp"

namespace tenfold::kernels::detail {

/// Tokens of a block; a row is seen as whole blocks, filled up with `removed`.
inline constexpr std::int64_t draw_block = 256;
/// Weights are laid end to end by the remainder of their index by this, then by index.
inline constexpr std::int64_t draw_lanes = 16;
/// The logit of a token that is not to be drawn.
inline constexpr float removed = -1e30F;

/// Of a block without mass.
inline constexpr float no_exponent = -1e9F;
/// Beyond it f32 no longer tells neighbouring weights apart; `removed` lies far below its negative.
inline constexpr float greatest_exponent = 0x1p20F;
/// Bounds within a block as whole numbers: so many stand for 1.
inline constexpr float bound_unit = 0x1p22F;
/// Where less than this is left of a block, measured by its exponent, the units weigh too much and it is measured anew.
inline constexpr float least_rest = 0.25F;
/// Masses of blocks as whole numbers: so many stand for the mass of the row.
inline constexpr float mass_unit = 0x1p30F;
/// What rounding can take from a bound and a mass, and more.
inline constexpr double draw_margin = 1 + 0x1p-10;

/// What decides on a proposal: the 128 bits of a Philox block, each of them for one decision. So a logit that changes
/// by a last bit moves the borders between tokens by as little and redraws only what lies that near to one. What 48
/// bits cannot tell apart is 2^-48 of a row or a block, and 32 bits shift a chance of acceptance by less than 2^-32.
struct ProposalNumbers {
  std::uint64_t block;      ///< 48 bits: words 0 and 1, the lower half of it
  std::uint64_t token;      ///< 48 bits: words 2 and 1, the upper half of it
  std::uint32_t threshold;  ///< 32 bits: word 3

  TENFOLD_ANY_DEVICE ProposalNumbers(std::uint32_t word0, std::uint32_t word1, std::uint32_t word2, std::uint32_t word3)
      : block(word0 | std::uint64_t{word1 & 0xFFFFU} << 32U),
        token(word2 | std::uint64_t{word1 >> 16U} << 32U),
        threshold(word3) {}
};

/// number / 2^48 * total without its fraction: uniform in [0, total).
TENFOLD_ANY_DEVICE inline std::uint32_t place_among(std::uint32_t total, std::uint64_t number) {
  return static_cast<std::uint32_t>(((number >> 16U) * total + ((number & 0xFFFFU) * total >> 16U)) >> 32U);
}

/// Whether a proposal of this density is kept as a draw by this weight, both in the same unit.
TENFOLD_ANY_DEVICE inline bool accepts(std::uint32_t threshold, double density, double weight) {
  return threshold * 0x1p-32 * draw_margin * density < weight;
}

}  // namespace tenfold::kernels::detail

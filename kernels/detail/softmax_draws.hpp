#pragma once
// The numbers by which any device draws from softmax distributions (host/detail/softmax_draws.hpp says how): with the
// same ones it makes the same proposals and accepts the same tokens, but where rounding decides.

#include <cstdint>

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

}  // namespace tenfold::kernels::detail

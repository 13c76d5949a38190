#pragma once
// The position bias of attention, computed once a forward in f32 (T5, Raffel et al. 2020;
// TUPE, Ke et al., arXiv 2006.15595, with the [CLS] reset). Position 0 is [CLS].
//
//   relative        bias[h,i,j] = r[bucket(j - i), h] for every pair
//   TUPE            bias[h,i,j] = G[h,i,j] (+ r[bucket(j - i), h]),  G = (q_i . k_j) / sqrt(2 dh)
//     untied [CLS]  for i, j >= 1 only; bias[h,0,j] = 0; bias[h,i>=1,0] = G[h,0,0] (+ cls[h])
//
// Absent operands (empty tensors) leave their term out: query/key for `relative`, relative for TUPE-A, cls unless
// TUPE-R untied.

#include <vector>

#include "kernels/op.hpp"

namespace tenfold::kernels {

/// T5 buckets of all offsets j - i in [-(T-1), T-1]; entry T-1 + (j - i). Half of the buckets for keys after the query;
/// of each half, half exact, half logarithmic up to max_distance, borders in double precision and rounded up: for 32
/// and 128 the table of the TUPE code (8-11 -> 8, 12-15 -> 9, 16-22 -> 10, 23-31 -> 11, 32-45 -> 12, 46-63 -> 13, 64-90
/// -> 14, >= 91 -> 15).
std::vector<std::int32_t> relative_buckets(int length, int buckets, int max_distance);

struct PositionBias {
  Tensor query, key;  ///< f32 [T, d] projected positions (TUPE), or absent
  Tensor relative;    ///< f32 [buckets, H] or absent
  Tensor buckets;     ///< i32 [2T-1] with `relative`
  Tensor cls;         ///< f32 [H] or absent
  bool untie_cls = false;
};

/// bias: f32 [H, T, T].
inline constinit Op<void(Queue& queue, const PositionBias& input, const Tensor& bias)> position_bias_forward(
    "position_bias_forward");

/// From dbias [H, T, T] (sum over layers and samples): gradient.query, gradient.key are written, gradient.relative and
/// gradient.cls are added to; absent ones are skipped. dbias may be overwritten.
inline constinit Op<void(Queue& queue, const Tensor& dbias, const PositionBias& input, const PositionBias& gradient)>
    position_bias_backward("position_bias_backward");

}  // namespace tenfold::kernels

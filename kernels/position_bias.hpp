#pragma once
// The position bias of attention, computed once a forward in f32 (T5, Raffel et al. 2020;
// TUPE, Ke et al., arXiv 2006.15595, with the [CLS] reset). Position 0 is [CLS].
//
//   relative       bias[h,i,j] = r[bucket(j - i), h]                        for every pair
//   TUPE           bias[h,i,j] = G[h,i,j]  (tupe-r: + r[bucket(j - i), h])
//                  G[h,i,j]    = q_i . k_j / sqrt(2 dh), of head h
//   untied [CLS]   bias[h,i,j] as TUPE                                      for i, j >= 1
//                  bias[h,0,j] = 0
//                  bias[h,i,0] = G[h,0,0]  (tupe-r: + cls[h])               for i >= 1
//
// An empty tensor leaves its term out. `relative` has no query and key, tupe-a no relative; only tupe-r with an untied
// [CLS] has cls.

#include <vector>

#include "kernels/op.hpp"

namespace tenfold::kernels {

/// T5 buckets of all offsets j - i from -(T - 1) to T - 1; that of j - i is entry T - 1 + (j - i). Half of the buckets
/// are for keys after the query. Of each half the first half are exact distances, the rest widen logarithmically up to
/// max_distance. A distance that lies on a border belongs to the wider bucket. For 32 buckets and 128 this is the table
/// of the TUPE code:
///   0-7 -> 0-7      8-11 -> 8     12-15 -> 9     16-22 -> 10    23-31 -> 11
///   32-45 -> 12     46-63 -> 13   64-90 -> 14    from 91 on -> 15
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

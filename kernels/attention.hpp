#pragma once
// Multi-head self-attention (Vaswani et al. 2017) within packed sequences, with an additive position bias shared over
// layers and samples. For sequence b with rows i, j and head h:
//
//   S[h,i,j]   = scale * q_i . k_j + bias[h,i,j]
//   A          = softmax of S over the keys j of the sequence
//   context_i  = sum over j of dropout(A)[h,i,j] * v_j
//
//   qkv      [N, 3d], f32 or bf16; each row is query | key | value, head h in columns h*dh .. (h+1)*dh of each part
//   bias     f32 [H, T, T], T the longest sequence; or absent
//   context  [N, d]; 0 in rows that belong to no sequence
//
// and backward, with mask = 0 where dropout drops, else 1 / (1 - rate):
//
//   dA[h,i,j]  = mask[h,i,j] * dcontext_i . v_j
//   dS[h,i,j]  = A[h,i,j] * (dA[h,i,j] - sum over j' of A[h,i,j'] * dA[h,i,j'])
//   dq_i       = scale * sum over j of dS[h,i,j] * k_j
//   dk_j       = scale * sum over i of dS[h,i,j] * q_i
//   dv_j       = sum over i of dropout(A)[h,i,j] * dcontext_i
//
// Softmax and all sums in f32; dbias is summed in the order of sequences, where a device has many of them in parts
// whose sums are then added in order. Dropout decides on A[h,i,j] as element (h*T + i)*T + j of its sample.

#include "kernels/dropout.hpp"
#include "kernels/op.hpp"

namespace tenfold::kernels {

struct AttentionShape {
  std::int64_t rows;    ///< N
  std::int64_t length;  ///< T
  std::int64_t heads, head_width;
};

/// Bytes of what forward keeps for backward, and of the workspace of either.
inline constinit Op<std::int64_t(DeviceKind device, const AttentionShape& shape, DType type)> attention_saved_bytes(
    "attention_saved_bytes");
inline constinit Op<std::int64_t(DeviceKind device, const AttentionShape& shape, DType type)> attention_workspace_bytes(
    "attention_workspace_bytes");

/// `dropout.rows` tells where the sequences lie, also at rate 0. saved, workspace: u8, at least as many as the two ops
/// above say.
inline constinit Op<void(Queue& queue, const AttentionShape& shape, const Tensor& qkv, const Tensor& bias, float scale,
                         const Dropout& dropout, const Tensor& context, const Tensor& saved, const Tensor& workspace)>
    attention_forward("attention_forward");

/// dqkv [N, 3d] from dcontext [N, d] and what forward kept, under the same dropout; 0 in rows that belong to no
/// sequence. dbias += sum over samples of dS, f32 [H, T, T] or absent.
inline constinit Op<void(Queue& queue, const AttentionShape& shape, const Tensor& dcontext, const Tensor& qkv,
                         const Tensor& saved, float scale, const Dropout& dropout, const Tensor& dqkv,
                         const Tensor& dbias, const Tensor& workspace)>
    attention_backward("attention_backward");

}  // namespace tenfold::kernels

#pragma once
// Multi-head self-attention (Vaswani et al. 2017) with an additive position bias shared over layers and samples.
//
//   S[b,h,i,j] = scale * q_i . k_j + bias[h,i,j],   A = softmax over j < lengths[b],   context_i = sum_j dropout(A)_ij
//   v_j
//
// qkv: [B*T, 3d], each row query | key | value, head h in columns h*dh..(h+1)*dh of each part; f32 or bf16.
// bias: f32 [H, T, T] or absent. lengths: i32 [B]: keys beyond are left out (no infinities); queries beyond are
// computed like any other and mean nothing, as does all of a sequence of length 0, which is taken for 1. probabilities
// (kept for backward): [B, H, T, T] of qkv's type, before dropout, the sign bit set where dropout drops, 0 beyond the
// key length. Dropout positions in a sample: (h*T + i)*T + j. Softmax and all sums in f32; dbias is summed in order of
// samples.

#include "kernels/dropout.hpp"

namespace tenfold::kernels {

struct AttentionShape {
  std::int64_t batch, heads, length, head_width;
};

/// Bytes of workspace that forward and backward need, u8.
std::int64_t attention_workspace_bytes(const AttentionShape& shape, DType type);

/// context: [B*T, d].
void attention_forward(Queue& queue, const Tensor& qkv, const Tensor& bias, const Tensor& lengths, float scale,
                       const Dropout& dropout, const Tensor& context, const Tensor& probabilities,
                       const Tensor& workspace);

/// dqkv [B*T, 3d] from dcontext [B*T, d] and what forward kept under the same dropout; dbias += sum over samples of dS,
/// f32 [H, T, T] or absent.
void attention_backward(Queue& queue, const Tensor& dcontext, const Tensor& qkv, const Tensor& probabilities,
                        const Tensor& lengths, float scale, const Dropout& dropout, const Tensor& dqkv,
                        const Tensor& dbias, const Tensor& workspace);

}  // namespace tenfold::kernels

#pragma once
// Wrong answers for multiple-choice questions: many draws a position from a softmax that is never in memory.

#include "kernels/sample_tokens.hpp"

namespace tenfold::kernels {

/// How candidates are drawn (MC-BERT, Xu et al., arXiv 2006.05744).
struct CandidateDraws {
  Draws draws;
  bool with_replacement = false;  ///< the released code's sampling: independent draws, truth not left out
};

/// negatives[n, :] = `count[0]` tokens of softmax(logits / temperature) with logits = hidden[n] table^T + bias,
/// distinct, without the truth and without `excluded` ids, in the order of successive draws (the law of Gumbel top-k);
/// slots beyond count[0] are -1, and so are all of padding rows (t >= lengths[b]) and of rows without a finite logit.
/// The product, exponentials and draws are fused and tiled: [N, V] never exists. f32 accumulation and logits. hidden:
/// [N, d], table: [V, d] (f32 or bf16), bias: f32 [V], truth: i32 [N], lengths: i32 [B], excluded: i32 [X],
/// temperature: f32 [1] > 0, count: i32 [1] <= K, negatives: i32 [N, K]; workspace: u8 of candidate_workspace_bytes.
std::int64_t candidate_workspace_bytes(std::int64_t vocabulary, std::int64_t width, DType type);
void draw_candidates(Queue& queue, const Tensor& hidden, const Tensor& table, const Tensor& bias, const Tensor& truth,
                     const Tensor& lengths, const Tensor& excluded, const CandidateDraws& draws,
                     const Tensor& temperature, const Tensor& count, const Tensor& negatives, const Tensor& workspace);

}  // namespace tenfold::kernels

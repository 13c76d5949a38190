#pragma once
// Wrong answers for multiple-choice questions: many draws a position from a softmax that is never in memory.

#include "kernels/op.hpp"
#include "kernels/sample_tokens.hpp"

namespace tenfold::kernels {

/// How candidates are drawn (MC-BERT, Xu et al., arXiv 2006.05744).
struct CandidateDraws {
  Draws draws;
  bool with_replacement = false;  ///< as the released code draws: independently, and the truth may come too
};

/// For each row n that belongs to a sequence, negatives[n, :] = `count` tokens of
///   softmax(logits / temperature),  logits = hidden[n] table^T + bias,
/// distinct, without the truth and without `excluded` ids, in the order of successive draws (the law of Gumbel top-k);
/// slots beyond the count are -1, and so are all of other rows and of rows without a finite logit. Product,
/// exponentials and draws are fused and tiled: [N, V] never exists. f32 accumulation and logits.
///   hidden, table   [N, d], [V, d], f32 or bf16; row n is row n of draws.draws.rows
///   bias            f32 [V]
///   truth           i32 [N]
///   excluded        i32 [X]
///   temperature     f32 [1], above 0
///   count           i32 [1], at most K
///   negatives       i32 [N, K]
///   workspace       u8 of candidate_workspace_bytes
inline constinit Op<void(Queue& queue, const Tensor& hidden, const Tensor& table, const Tensor& bias,
                         const Tensor& truth, const Tensor& excluded, const CandidateDraws& draws,
                         const Tensor& temperature, const Tensor& count, const Tensor& negatives,
                         const Tensor& workspace)>
    draw_candidates("draw_candidates");
inline constinit Op<std::int64_t(DeviceKind device, std::int64_t vocabulary, std::int64_t width, DType type)>
    candidate_workspace_bytes("candidate_workspace_bytes");

}  // namespace tenfold::kernels

#pragma once
// Draws from softmax distributions over a large vocabulary by the law of Gumbel arg-max and top-k (Gumbel 1954; Kool et
// al. 2019), without gradient. Every draw is a function of (key, step, sample, position) and the row it is drawn from,
// never of tiling, batch, rank or order. The host makes other exact draws of the same law, which need no Gumbel
// variable a logit (host/detail/softmax_draws.hpp).

#include "base/queue.hpp"

namespace tenfold::kernels {

/// What keys the draws of row n = b*T + t: Philox blocks of (key, step, samples[b]) at positions 65536 t on.
struct Draws {
  std::uint64_t key = 0;
  Tensor step;              ///< i64 [1]
  Tensor samples;           ///< i64 [B], global sample index of each sequence of the micro-batch
  std::int64_t length = 0;  ///< T, at most 65536
};

/// tokens[r] ~ softmax(logits[r]) for the valid rows r < count - first, -1 beyond and where no logit is finite.
/// logits: f32 [R, V]; rows: i32 [R], the row b*T + t that each stands for; count: i32 [1]; `first` as in
/// softmax_cross_entropy. excluded: i32 [X], ids without mass (special tokens). tokens: i32 [R].
void sample_tokens(Queue& queue, const Tensor& logits, const Tensor& rows, std::int64_t first, const Tensor& count,
                   const Tensor& excluded, const Draws& draws, const Tensor& tokens);

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

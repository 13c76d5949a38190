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

}  // namespace tenfold::kernels

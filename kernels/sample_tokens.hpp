#pragma once
// Draws from softmax distributions over a large vocabulary by the law of Gumbel arg-max and top-k (Gumbel 1954; Kool et
// al. 2019), without gradient. Every draw is a function of (key, step, sample, position) and the row it is drawn from,
// never of tiling, batch, rank or order. They are exact draws of that law by rejection, which needs no Gumbel variable
// a logit (host/detail/softmax_draws.hpp); from logits that agree but for last bits every device makes the same, but
// for near ties, fewer than one in 10,000.

#include "kernels/op.hpp"
#include "kernels/packed_rows.hpp"

namespace tenfold::kernels {

/// What keys the draws of a row, token t of a sequence: Philox blocks of (key, step, its sample) at positions 65536 t
/// on. Sequences have at most 65536 tokens.
struct Draws {
  PackedRows rows;
  std::uint64_t key = 0;
  Tensor step;  ///< i64 [1]
};

/// tokens[r] ~ softmax(logits[r]) for the valid rows r < count - first, -1 beyond and where no logit is finite.
///   logits     f32 [R, V]
///   places     i32 [R], the row that each stands for; a valid one belongs to a sequence
///   count      i32 [1]; `first` as in softmax_cross_entropy
///   excluded   i32 [X], ids without mass (special tokens)
///   tokens     i32 [R]
inline constinit Op<void(Queue& queue, const Tensor& logits, const Tensor& places, std::int64_t first,
                         const Tensor& count, const Tensor& excluded, const Draws& draws, const Tensor& tokens)>
    sample_tokens("sample_tokens");

}  // namespace tenfold::kernels

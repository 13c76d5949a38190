#pragma once
// Replaced-token detection (ELECTRA, Clark et al. 2020, arXiv 2003.10555) and the corrupted input that it and multiple
// choice look at.

#include "kernels/op.hpp"
#include "kernels/packed_rows.hpp"

namespace tenfold::kernels {

/// corrupted = original, but at the selected rows the drawn token; replaced[n] = 1 where they differ, else 0 (a draw
/// that hits the truth counts as original). original, corrupted, replaced: i32 [N]; rows (distinct), drawn: i32 [R];
/// count: i32 [1], entries of rows and drawn that are in use. A drawn -1 (no token could be drawn) leaves the original.
inline constinit Op<void(Queue& queue, const Tensor& original, const Tensor& rows, const Tensor& drawn,
                         const Tensor& count, const Tensor& corrupted, const Tensor& replaced)>
    corrupt_tokens("corrupt_tokens");

/// Binary cross entropy of score_n = hidden[n] . w + b against replaced[n], over the rows that belong to a sequence, in
/// f32.
///   hidden      [N, d], f32 or bf16
///   w, b        f32 [d], f32 [1]
///   replaced    i32 [N], 0 or 1
///   weight      f32 [1]
///   losses      f32 [N], nats; 0 elsewhere
///   predicted   i32 [N], 1 where the score is above 0; 0 elsewhere
/// With all three of these also the gradients of weight * sum of losses; without, losses only:
///   dhidden     [N, d], written, 0 elsewhere
///   dw, db      f32, added to, over rows in a fixed order
inline constinit Op<void(Queue& queue, const Tensor& hidden, const PackedRows& rows, const Tensor& w, const Tensor& b,
                         const Tensor& replaced, const Tensor& weight, const Tensor& losses, const Tensor& predicted,
                         const Tensor& dhidden, const Tensor& dw, const Tensor& db)>
    replaced_token_loss("replaced_token_loss");

}  // namespace tenfold::kernels

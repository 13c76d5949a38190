#pragma once
// Replaced-token detection (ELECTRA, Clark et al. 2020, arXiv 2003.10555) and the corrupted input that it and multiple
// choice look at.

#include "kernels/op.hpp"
#include "kernels/packed_rows.hpp"

namespace tenfold::kernels {

/// corrupted = original, with the drawn token at each selected row; replaced[n] = 1 where the two differ, else 0, so
/// that a draw that hits the truth counts as original. Where no token could be drawn (-1), the original stays.
///   original, corrupted, replaced   i32 [N]
///   rows, drawn                     i32 [R]; rows are distinct
///   count                           i32 [1], how many of the R are in use
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
/// If these three are given, also the gradients of weight * sum of losses; if all are absent, losses only:
///   dhidden     [N, d], written, 0 elsewhere
///   dw, db      f32, added to, over rows in a fixed order
inline constinit Op<void(Queue& queue, const Tensor& hidden, const PackedRows& rows, const Tensor& w, const Tensor& b,
                         const Tensor& replaced, const Tensor& weight, const Tensor& losses, const Tensor& predicted,
                         const Tensor& dhidden, const Tensor& dw, const Tensor& db)>
    replaced_token_loss("replaced_token_loss");

}  // namespace tenfold::kernels

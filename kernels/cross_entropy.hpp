#pragma once
// Softmax cross entropy over a large vocabulary, forward and gradient in one pass over the logits. Log-softmax in f32.

#include "kernels/op.hpp"

namespace tenfold::kernels {

/// logits: f32 [R, V]; labels: i32 [R]. These are the step's selected rows first .. min(first + R, count) - 1 (`count`:
/// i32 [1] on the device); rows beyond weigh nothing. weight: f32 [1], 1 / global number of selected tokens.
/// losses: f32 [R], nats a row (0 where not valid; NaN where a logit is not finite). dlogits (f32 or bf16 [R, V], or
/// absent) = weight * (softmax - onehot), 0 where not valid; may be logits itself when f32. correct: i32 [R], 1 where
/// the label has the greatest logit.
inline constinit Op<void(Queue& queue, const Tensor& logits, const Tensor& labels, std::int64_t first,
                         const Tensor& count, const Tensor& weight, const Tensor& losses, const Tensor& correct,
                         const Tensor& dlogits)>
    softmax_cross_entropy("softmax_cross_entropy");

}  // namespace tenfold::kernels

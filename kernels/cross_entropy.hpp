#pragma once
// Softmax cross entropy over a large vocabulary, forward and gradient in one pass over the logits. Log-softmax in f32.

#include "kernels/op.hpp"

namespace tenfold::kernels {

/// Of a block of the selected rows: those from `first` on, R of them or as many as are left of `count`. Rows beyond are
/// not valid and weigh nothing.
///   logits    f32 [R, V]
///   labels    i32 [R]
///   count     i32 [1], selected rows in all
///   weight    f32 [1], 1 / selected tokens of the whole step
///   losses    f32 [R], nats; 0 where not valid, NaN where a logit is not finite
///   correct   i32 [R], 1 where the label has the greatest logit
///   dlogits   f32 or bf16 [R, V], or absent: weight * (softmax - onehot), 0 where not valid; may be logits if f32
inline constinit Op<void(Queue& queue, const Tensor& logits, const Tensor& labels, std::int64_t first,
                         const Tensor& count, const Tensor& weight, const Tensor& losses, const Tensor& correct,
                         const Tensor& dlogits)>
    softmax_cross_entropy("softmax_cross_entropy");

}  // namespace tenfold::kernels

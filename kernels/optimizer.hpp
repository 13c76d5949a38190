#pragma once
// Adam with decoupled weight decay in fairseq's form (Ott et al. 2019): epsilon outside the bias correction, decay on
// every tensor; clipping by the global norm. All tensors flat, f32, of one length n.

#include "kernels/op.hpp"

namespace tenfold::kernels {

struct AdamW {
  double beta1, beta2, epsilon, weight_decay, clip_norm;  ///< clip_norm 0: no clipping. f64, as 1 - 0.98F is not 0.02F
};

/// What changes from step to step, in device memory.
struct AdamWStep {
  Tensor learning_rate;  ///< f32 [1]
  Tensor norm;           ///< f32 [1], global gradient norm
  Tensor skipped;        ///< i32 [1], 1: this step changes nothing
  Tensor updates;        ///< i64 [1], t: updates so far, this one included
};

/// norm: f32 [1] = sqrt of the sum of squares (f64 sums in a fixed order); infinite or NaN if any element is.
inline constinit Op<void(Queue& queue, const Tensor& gradient, const Tensor& norm)> global_norm("global_norm");

/// skipped = 1 if the norm or any of `sums` (f64 [S]) is not finite, else 0 and one more update.
inline constinit Op<void(Queue& queue, const Tensor& norm, const Tensor& sums, const Tensor& skipped,
                         const Tensor& updates)>
    judge_step("judge_step");

/// Unless skipped, with g = gradient * min(1, clip_norm / (norm + 1e-6)):
///   m = b1 m + (1 - b1) g
///   v = b2 v + (1 - b2) g^2
///   w -= lr * weight_decay * w
///   w -= lr * sqrt(1 - b2^t) / (1 - b1^t) * m / (sqrt(v) + epsilon)
inline constinit Op<void(Queue& queue, const AdamW& settings, const AdamWStep& step, const Tensor& gradient,
                         const Tensor& weight, const Tensor& first_moment, const Tensor& second_moment)>
    adamw("adamw");

}  // namespace tenfold::kernels

#pragma once
// Layer normalisation over the last dimension (Ba et al. 2016), alone and fused with the residual sum of a post-LN
// sublayer. Statistics and sums in f32. Gradients of gain and bias are added to, over rows in a fixed order.
//   x, y, gradients   [N, d], f32 or bf16
//   gain, bias        f32 [d]
//   mean, rstd        f32 [N], kept for backward; rstd = 1 / sqrt(variance + epsilon)

#include "kernels/dropout.hpp"
#include "kernels/op.hpp"

namespace tenfold::kernels {

/// y = (x - mean) * rstd * gain + bias.
inline constinit Op<void(Queue& queue, const Tensor& x, const Tensor& gain, const Tensor& bias, float epsilon,
                         const Tensor& y, const Tensor& mean, const Tensor& rstd)>
    layer_norm_forward("layer_norm_forward");
/// dx (may be dy itself), dgain +=, dbias +=.
inline constinit Op<void(Queue& queue, const Tensor& dy, const Tensor& x, const Tensor& gain, const Tensor& mean,
                         const Tensor& rstd, const Tensor& dx, const Tensor& dgain, const Tensor& dbias)>
    layer_norm_backward("layer_norm_backward");

/// sum = residual + dropout(branch); y = layer_norm(sum). `sum` is kept for backward and may be `branch` itself.
inline constinit Op<void(Queue& queue, const Tensor& branch, const Tensor& residual, const Dropout& dropout,
                         const Tensor& gain, const Tensor& bias, float epsilon, const Tensor& sum, const Tensor& y,
                         const Tensor& mean, const Tensor& rstd)>
    residual_layer_norm_forward("residual_layer_norm_forward");
/// dresidual = gradient of the sum (may be dy itself); dbranch = the same through the dropout mask; dgain +=, dbias +=.
inline constinit Op<void(Queue& queue, const Tensor& dy, const Tensor& sum, const Dropout& dropout, const Tensor& gain,
                         const Tensor& mean, const Tensor& rstd, const Tensor& dresidual, const Tensor& dbranch,
                         const Tensor& dgain, const Tensor& dbias)>
    residual_layer_norm_backward("residual_layer_norm_backward");

}  // namespace tenfold::kernels

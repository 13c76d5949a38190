#pragma once
// Exact Gaussian error linear unit, x * (1 + erf(x / sqrt 2)) / 2 (Hendrycks and Gimpel 2016), evaluated in f32.
// Any shape, f32 or bf16.

#include "kernels/op.hpp"

namespace tenfold::kernels {

/// y = gelu(x). saved: what backward wants, of x's shape and type; it may take the place of x.
inline constinit Op<void(Queue& queue, const Tensor& x, const Tensor& y, const Tensor& saved)> gelu_forward(
    "gelu_forward");
/// dx = dy * gelu'(x); dx may be dy itself.
inline constinit Op<void(Queue& queue, const Tensor& dy, const Tensor& saved, const Tensor& dx)> gelu_backward(
    "gelu_backward");

}  // namespace tenfold::kernels

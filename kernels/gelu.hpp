#pragma once
// Exact Gaussian error linear unit, x * (1 + erf(x / sqrt 2)) / 2 (Hendrycks and Gimpel 2016), evaluated in f32.
// Any shape, f32 or bf16.

#include "base/queue.hpp"

namespace tenfold::kernels {

/// y = gelu(x) and derivative = gelu'(x), which may take the place of x: backward wants nothing else, and both come
/// from one exponential.
void gelu_forward(Queue& queue, const Tensor& x, const Tensor& y, const Tensor& derivative);
/// dx = dy * derivative; dx may be dy itself.
void gelu_backward(Queue& queue, const Tensor& dy, const Tensor& derivative, const Tensor& dx);

}  // namespace tenfold::kernels

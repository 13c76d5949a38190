#pragma once
// Exact Gaussian error linear unit, x * (1 + erf(x / sqrt 2)) / 2 (Hendrycks and Gimpel 2016), evaluated in f32.
// Any shape, f32 or bf16.

#include "base/queue.hpp"

namespace tenfold::kernels {

void gelu_forward(Queue& queue, const Tensor& x, const Tensor& y);
/// dx = dy * gelu'(x); dx may be dy itself.
void gelu_backward(Queue& queue, const Tensor& dy, const Tensor& x, const Tensor& dx);

}  // namespace tenfold::kernels

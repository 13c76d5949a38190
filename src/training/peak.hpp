#pragma once
// The matrix-product rate of this process, against which utilisation is stated.

#include "kernels/linear.hpp"

namespace tenfold {

/// FLOP/s of a square product, the best of `repeats` of 2048^3 and four times as many of 1024^3, f32 or bf16 operands,
/// with the threads that kernels use now.
double measure_matmul_peak(Queue& queue, DType type, kernels::OperandLayout layout, int repeats);

}  // namespace tenfold

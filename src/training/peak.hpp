#pragma once
// The matrix-product rate of this process, against which utilisation is stated.

#include "base/device.hpp"
#include "kernels/linear.hpp"

namespace tenfold {

/// FLOP/s of a product of square matrices of that extent, the best of `repeats`, f32 or bf16 operands, with the threads
/// that kernels use now.
double measure_matmul_peak(Queue& queue, DType type, kernels::OperandLayout layout, std::int64_t extent, int repeats);

}  // namespace tenfold

#pragma once
// The matrix-product rate of this process, against which utilisation is stated.

#include "base/device.hpp"
#include "kernels/linear.hpp"

namespace tenfold {

/// FLOP/s of a square product of f32 or bf16 operands, with the threads that kernels use now: the best of `repeats` of
/// the device's yardstick extent (on the host 2048) and four times as many of half of it.
double measure_matmul_peak(const Device& device, Queue& queue, DType type, kernels::OperandLayout layout, int repeats);

}  // namespace tenfold

#pragma once
// Affine map y = x W^T + b. x: [N, in], W: [out, in], y: [N, out]; f32 or bf16, accumulated in f32; b: f32 [out] or
// absent.

#include "base/queue.hpp"

namespace tenfold::kernels {

/// Rows are worked out in blocks of so many, the last one filled up with zeros, so that a row of y and of dx has the
/// same bits whatever N is, and no new N costs more than another. N that are multiples of it waste nothing.
inline constexpr std::int64_t row_block = 128;

/// y = x W^T + b. y may be f32 where x and W are bf16 (logits).
void linear_forward(Queue& queue, const Tensor& x, const Tensor& weight, const Tensor& bias, const Tensor& y);

/// dx = dy W, or dx += dy W when accumulate.
void linear_backward_input(Queue& queue, const Tensor& dy, const Tensor& weight, const Tensor& dx, bool accumulate);

/// dW += dy^T x and db += column sums of dy; dW: f32 [out, in], db: f32 [out] or absent. Summed over rows in a fixed
/// order.
void linear_backward_weight(Queue& queue, const Tensor& dy, const Tensor& x, const Tensor& dweight,
                            const Tensor& dbias);

/// How the operands of a yardstick lie: as the device's library likes them best, or as any program has them.
enum class OperandLayout { packed, row_major };

/// The yardstick of utilisation: seconds of the fastest of `repeats` products of two square matrices of extent n by the
/// device's library.
double measure_matmul(Queue& queue, DType type, OperandLayout layout, std::int64_t n, int repeats);

}  // namespace tenfold::kernels

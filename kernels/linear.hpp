#pragma once
// Affine map y = x W^T + b. x: [N, in], W: [out, in], y: [N, out]; f32 or bf16, accumulated in f32; b: f32 [out] or
// absent.

#include "kernels/op.hpp"

namespace tenfold::kernels {

/// N that are multiples of it waste nothing. On the host rows are worked out in blocks of so many, the last one filled
/// up with zeros, so that a row of y and of dx has the same bits whatever N is, and no new N costs more than another.
/// On CUDA the library chooses how to work out a product by its extents and the alignment of its operands: the same
/// call has the same bits each time, and a row those of another N only within rounding.
inline constexpr std::int64_t row_block = 128;

/// y = x W^T + b. y may be f32 where x and W are bf16 (logits). On CUDA b is added as rounded to the type of y.
inline constinit Op<void(Queue& queue, const Tensor& x, const Tensor& weight, const Tensor& bias, const Tensor& y)>
    linear_forward("linear_forward");

/// dx = dy W, or dx += dy W when accumulate.
inline constinit Op<void(Queue& queue, const Tensor& dy, const Tensor& weight, const Tensor& dx, bool accumulate)>
    linear_backward_input("linear_backward_input");

/// dW += dy^T x and db += column sums of dy; dW: f32 [out, in], db: f32 [out] or absent. Summed over rows in a fixed
/// order.
inline constinit Op<void(Queue& queue, const Tensor& dy, const Tensor& x, const Tensor& dweight, const Tensor& dbias)>
    linear_backward_weight("linear_backward_weight");

/// How the operands of a yardstick lie: in the library's own layout, or row by row.
enum class OperandLayout { packed, row_major };

/// The yardstick of utilisation: seconds of the fastest of `repeats` products of two square matrices of extent n by the
/// device's library. On CUDA both layouts are row-major: there is no other.
inline constinit Op<double(Queue& queue, DType type, OperandLayout layout, std::int64_t n, int repeats)> measure_matmul(
    "measure_matmul");

}  // namespace tenfold::kernels

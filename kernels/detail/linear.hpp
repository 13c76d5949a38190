#pragma once
// What affine maps ask of their operands, on any device.

#include "kernels/detail/operands.hpp"

namespace tenfold::kernels::detail {

/// rows_in: [N, in], weight: [out, in], rows_out: [N, out], none of them empty; `name` is the op's.
inline void expect_linear(const Tensor& rows_in, const Tensor& weight, const Tensor& rows_out, const char* name) {
  const Shape& in = rows_in.shape();
  const Shape& out = rows_out.shape();
  const Shape& w = weight.shape();
  const bool matrices = in.rank() == 2 && w.rank() == 2 && out.rank() == 2;
  TENFOLD_VERIFY(matrices && in[1] == w[1] && out[0] == in[0] && out[1] == w[0] && in.elements() > 0 && w[0] > 0, name,
                 ": weight is ", w.describe(), ", of rows ", in.describe(), " and ", out.describe(),
                 ", must be [out, in], [N, in] and [N, out]");
}

/// Factors of one type, f32 or bf16, and a product in f32 or as they are.
inline void expect_product_types(const Tensor& a, const Tensor& b, const Tensor& product, const char* name) {
  TENFOLD_VERIFY(a.dtype() == b.dtype() && (a.dtype() == DType::f32 || a.dtype() == DType::bf16), name,
                 ": operands are ", name_of(a.dtype()), " and ", name_of(b.dtype()), ", must be both f32 or both bf16");
  TENFOLD_VERIFY(product.dtype() == DType::f32 || product.dtype() == a.dtype(), name, ": result is ",
                 name_of(product.dtype()));
}

inline void expect_linear_forward(const Tensor& x, const Tensor& weight, const Tensor& bias, const Tensor& y) {
  expect_linear(x, weight, y, "linear_forward");
  expect_product_types(x, weight, y, "linear_forward");
  if (bias) expect(bias, DType::f32, {weight[0]}, "linear_forward: bias");
}

inline void expect_linear_backward_input(const Tensor& dy, const Tensor& weight, const Tensor& dx) {
  expect_linear(dx, weight, dy, "linear_backward_input");
  expect_product_types(dy, weight, dx, "linear_backward_input");
}

inline void expect_linear_backward_weight(const Tensor& dy, const Tensor& x, const Tensor& dweight,
                                          const Tensor& dbias) {
  expect_linear(x, dweight, dy, "linear_backward_weight");
  expect_product_types(dy, x, dweight, "linear_backward_weight");
  expect(dweight, DType::f32, dweight.shape(), "linear_backward_weight: dweight");
  if (dbias) expect(dbias, DType::f32, {dweight[0]}, "linear_backward_weight: dbias");
}

inline void expect_measurement(std::int64_t n, int repeats) {
  TENFOLD_VERIFY(n > 0 && repeats > 0, "measure_matmul: extent ", n, ", ", repeats, " repeats");
}

}  // namespace tenfold::kernels::detail

#pragma once
// What position biases ask of their operands, on any device.

#include <cmath>

#include "kernels/detail/operands.hpp"
#include "kernels/position_bias.hpp"

namespace tenfold::kernels::detail {

/// Extents and scale of a call.
struct PositionExtents {
  std::int64_t heads, length;
  std::int64_t head_width = 0;  ///< 0 without positions
  float scale = 0;              ///< of products of positions
};

/// bias: [H, T, T], or its gradient; `name` is the op's.
inline PositionExtents expect_position_bias(const PositionBias& input, const Tensor& bias, const char* name) {
  TENFOLD_VERIFY(bias.dtype() == DType::f32 && bias.shape().rank() == 3 && bias[1] == bias[2] && bias.elements() > 0,
                 name, ": bias is ", name_of(bias.dtype()), " ", bias.shape().describe(), ", must be f32 [H, T, T]");
  PositionExtents extents{bias[0], bias[1]};
  TENFOLD_VERIFY(input.query || input.relative, name, ": neither positions nor a relative table");
  TENFOLD_VERIFY(input.query || !(input.untie_cls || input.cls), name, ": [CLS] is untied in TUPE only");
  TENFOLD_VERIFY(input.untie_cls || !input.cls, name, ": a [CLS] scalar, but [CLS] is not untied");
  if (input.query) {
    TENFOLD_VERIFY(input.query.shape().rank() == 2 && input.query.elements() > 0 && input.query[1] % extents.heads == 0,
                   name, ": query is ", input.query.shape().describe(), " for ", extents.heads, " heads");
    expect(input.query, DType::f32, {extents.length, input.query[1]}, name);
    expect(input.key, DType::f32, {extents.length, input.query[1]}, name);
    extents.head_width = input.query[1] / extents.heads;
    extents.scale = 1.0F / std::sqrt(2.0F * static_cast<float>(extents.head_width));
  }
  if (input.relative) {
    TENFOLD_VERIFY(input.relative.shape().rank() == 2, name, ": relative is ", input.relative.shape().describe());
    expect(input.relative, DType::f32, {input.relative[0], extents.heads}, name);
    expect(input.buckets, DType::i32, {2 * extents.length - 1}, name);
  }
  if (input.cls) expect(input.cls, DType::f32, {extents.heads}, name);
  return extents;
}

/// Each gradient that is there is as the operand it belongs to.
inline void expect_position_gradient(const PositionBias& gradient, const PositionBias& input) {
  const auto expect_like = [](const Tensor& of, const Tensor& value, const char* name) {
    if (of) expect(of, DType::f32, value.shape(), name);
  };
  expect_like(gradient.query, input.query, "position_bias_backward: gradient of query");
  expect_like(gradient.key, input.key, "position_bias_backward: gradient of key");
  expect_like(gradient.relative, input.relative, "position_bias_backward: gradient of relative");
  expect_like(gradient.cls, input.cls, "position_bias_backward: gradient of cls");
}

}  // namespace tenfold::kernels::detail

#pragma once
// What attention asks of its operands, on any device.

#include "kernels/attention.hpp"
#include "kernels/detail/operands.hpp"

namespace tenfold::kernels::detail {

/// context and bias: in backward their gradients.
inline void expect_attention(DeviceKind device, const AttentionShape& shape, const Tensor& qkv, const Tensor& bias,
                             const Tensor& context, const Tensor& saved, const Tensor& workspace, const char* name) {
  const auto& [rows, length, heads, head_width] = shape;
  const DType type = qkv.dtype();
  expect(qkv, type, {rows, 3 * heads * head_width}, name);
  expect(context, type, {rows, heads * head_width}, name);
  if (bias) expect(bias, DType::f32, {heads, length, length}, name);
  const auto enough = [&](const Tensor& memory, std::int64_t bytes, const char* what) {
    TENFOLD_VERIFY(memory.dtype() == DType::u8 && memory.elements() >= bytes, name, ": ", what, " has ",
                   memory.elements(), " bytes, must have ", bytes);
  };
  enough(saved, attention_saved_bytes(device, shape, type), "saved");
  enough(workspace, attention_workspace_bytes(device, shape, type), "workspace");
}

}  // namespace tenfold::kernels::detail

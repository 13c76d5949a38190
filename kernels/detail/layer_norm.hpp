#pragma once
// What layer norms ask of their operands, on any device.

#include <initializer_list>

#include "kernels/detail/operands.hpp"

namespace tenfold::kernels::detail {

struct Named {
  const Tensor& tensor;
  const char* name;
};

/// x: [N, d]; gain and bias (or what is summed for them): f32 [d]; mean, rstd: f32 [N]; all others as x.
inline void expect_layer_norm(const Tensor& x, const Tensor& gain, const Tensor& mean, const Tensor& rstd,
                              const Tensor& bias, std::initializer_list<Named> others) {
  TENFOLD_VERIFY(x.shape().rank() == 2 && x[1] > 0, "layer_norm: x ", x.shape().describe());
  expect(gain, DType::f32, {x[1]}, "layer_norm: gain");
  expect(bias, DType::f32, {x[1]}, "layer_norm: bias");
  expect(mean, DType::f32, {x[0]}, "layer_norm: mean");
  expect(rstd, DType::f32, {x[0]}, "layer_norm: rstd");
  for (const Named& other : others) expect(other.tensor, x.dtype(), x.shape(), other.name);
}

}  // namespace tenfold::kernels::detail

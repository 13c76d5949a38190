#pragma once
// What every kernel asks of its operands before it touches them, and the choice of code by storage type.

#include "base/tensor.hpp"

namespace tenfold::kernels::detail {

/// Throws Error unless `tensor` has this type and shape; `name` says which operand of which kernel: "gelu_forward: y".
inline void expect(const Tensor& tensor, DType type, const Shape& shape, const char* name,
                   SourcePlace place = SourcePlace::current()) {
  if (tensor.dtype() == type && tensor.shape() == shape) return;
  throw Error(text(name, " is ", name_of(tensor.dtype()), " ", tensor.shape().describe(), ", must be ", name_of(type),
                   " ", shape.describe()),
              ExitCode::failure, place);
}

/// body.operator()<T>() with the storage type T of `tensor`, f32 or bf16; throws Error for any other type.
template <class Body>
void by_storage_type(const Tensor& tensor, const char* name, Body&& body) {
  switch (tensor.dtype()) {
    case DType::f32:
      return body.template operator()<float>();
    case DType::bf16:
      return body.template operator()<BFloat16>();
    default:
      throw Error(text(name, " is ", name_of(tensor.dtype()), ", must be f32 or bf16"));
  }
}

}  // namespace tenfold::kernels::detail

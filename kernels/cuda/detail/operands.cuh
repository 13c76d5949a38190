#pragma once
// What an op's host side needs on CUDA: its queue's stream, its operands as CUDA types, and the extent of a launch.

#include <algorithm>

#include "kernels/cuda/detail/device.cuh"
#include "kernels/cuda/detail/queue.hpp"
#include "kernels/detail/operands.hpp"

namespace tenfold::cuda {

using kernels::detail::expect;

/// body.operator()<T>() with the storage type T of `tensor`, float or __nv_bfloat16; throws Error for any other type.
template <class Body>
void by_storage_type(const Tensor& tensor, const char* name, Body&& body) {
  kernels::detail::by_storage_type(tensor, name, [&]<class Stored>() {
    using T = std::conditional_t<std::is_same_v<Stored, float>, float, __nv_bfloat16>;
    body.template operator()<T>();
  });
}

/// The elements of a tensor of f32 or bf16; null where it is absent.
template <class T>
T* elements(const Tensor& tensor) {
  if (!tensor) return nullptr;
  using Stored = std::conditional_t<std::is_same_v<T, float>, float, BFloat16>;
  return reinterpret_cast<T*>(tensor.data<Stored>());
}

constexpr int threads_a_block = 256;

/// One thread for each of `count` pieces of work, but never more blocks than fill a large GPU several times: kernels
/// stride over the rest.
inline Grid grid_over(std::int64_t count, SourcePlace where = SourcePlace::current()) {
  constexpr std::int64_t most = 2048;
  const std::int64_t blocks = std::clamp((count + threads_a_block - 1) / threads_a_block, std::int64_t{1}, most);
  return {dim3(static_cast<unsigned>(blocks)), dim3(threads_a_block), 0, where};
}
/// Of a kernel launched so: for (i = first_of_grid(); i < count; i += stride_of_grid()).
__device__ inline std::int64_t first_of_grid() {
  return std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
}
__device__ inline std::int64_t stride_of_grid() {
  return std::int64_t{gridDim.x} * blockDim.x;
}

}  // namespace tenfold::cuda

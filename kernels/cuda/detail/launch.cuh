#pragma once
// The nvcc side of device.cuh.

#include <utility>

namespace tenfold::cuda {

/// Issues a kernel on a stream. Shared memory beyond 48 KiB is asked for here.
template <class... Parameters, class... Arguments>
void launch(void (*kernel)(Parameters...), const Grid& grid, cudaStream_t stream, Arguments&&... arguments) {
  cudaLaunchConfig_t configuration{};
  configuration.gridDim = grid.blocks;
  configuration.blockDim = grid.threads;
  configuration.dynamicSmemBytes = grid.shared;
  configuration.stream = stream;
  constexpr std::size_t unasked = 48U * 1024U;
  if (grid.shared > unasked)
    check(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, static_cast<int>(grid.shared)),
          grid.where);
  check(cudaLaunchKernelEx(&configuration, kernel, std::forward<Arguments>(arguments)...), grid.where);
}

/// The block's shared memory, as one struct.
template <class T>
__device__ T& shared() {
  extern __shared__ __align__(128) unsigned char tenfold_shared_bytes[];
  return *reinterpret_cast<T*>(tenfold_shared_bytes);
}

}  // namespace tenfold::cuda

#pragma once
// CUDA's language as far as kernels here use it. nvcc compiles it as it is; a host compiler (g++ -x c++) compiles the
// same kernels for the CPU, where each thread is a fiber (validation/emulation).
//
// Rules that make one source do for both:
//   launch(kernel, Grid{...}, stream, args...)   instead of kernel<<<...>>>(args...)
//   auto& s = shared<Struct>();                  instead of __shared__ (one struct a kernel; Grid.shared = sizeof)
//   no inline PTX outside detail/mma.cuh and detail/copy.cuh

#include <cuda_bf16.h>
#include <cuda_runtime_api.h>

#include <cstddef>
#include <cstdint>

#include "base/check.hpp"

namespace tenfold::cuda {

/// Extent of a launch.
struct Grid {
  dim3 blocks;
  dim3 threads;
  std::size_t shared = 0;  ///< bytes of dynamic shared memory
  SourcePlace where = SourcePlace::current();
};

/// Throws Error unless a call of the CUDA runtime succeeded.
inline void check(cudaError_t status, SourcePlace place = SourcePlace::current()) {
  if (status != cudaSuccess) throw Error(text("CUDA: ", cudaGetErrorString(status)), ExitCode::failure, place);
}

}  // namespace tenfold::cuda

#ifdef __CUDACC__
#include "kernels/cuda/detail/launch.cuh"
#else
#include "emulation/emulator.hpp"
#endif

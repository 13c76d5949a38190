#pragma once
// What the parts of the emulator know of each other.

#include "kernels/cuda/detail/device.cuh"  // and so emulator.hpp, which builds on it

namespace tenfold::emulator {

long seed();
/// A number under `below`, of the stream that draws every order; 0 where the seed is 0.
unsigned draw(unsigned below);

/// Runs all blocks of a launch to their end, now.
void run(dim3 blocks, dim3 threads, std::size_t shared, const std::function<void()>& kernel, Site site);

/// Puts work of a library on a stream; it may touch device memory.
void enqueue_host(cudaStream_t stream, std::function<void()> work);

}  // namespace tenfold::emulator

#pragma once
// Asynchronous copies from global to shared memory (cp.async), 16 bytes each. The CPU twin delivers the bytes only at
// the wait, so that a missing wait or barrier shows.

#include "kernels/cuda/detail/device.cuh"

namespace tenfold::cuda {

#ifdef __CUDACC__

/// 16 bytes, or zeros where not `valid` (then `source` is not read, but must be an address of the array).
__device__ inline void copy_async(void* destination, const void* source, bool valid) {
  const auto address = static_cast<std::uint32_t>(__cvta_generic_to_shared(destination));
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(address), "l"(source), "r"(valid ? 16 : 0)
               : "memory");
}
__device__ inline void copy_commit() {
  asm volatile("cp.async.commit_group;" ::: "memory");
}
/// Returns when at most `pending` groups of this thread are still on the way.
template <int pending>
__device__ inline void copy_wait() {
  asm volatile("cp.async.wait_group %0;" ::"n"(pending) : "memory");
}

#else

inline void copy_async(void* destination, const void* source, bool valid,
                       emulator::Site site = emulator::Site::current()) {
  emulator::expect(reinterpret_cast<std::uintptr_t>(destination) % 16 == 0 && emulator::is_shared(destination, 16),
                   "cp.async: the destination is 16 aligned bytes of shared memory", site);
  emulator::expect(reinterpret_cast<std::uintptr_t>(source) % 16 == 0, "cp.async: source not aligned to 16", site);
  emulator::copy_later(destination, valid ? source : nullptr);
}
inline void copy_commit() {
  emulator::copy_commit();
}
template <int pending>
void copy_wait() {
  emulator::copy_wait(pending);
}

#endif

}  // namespace tenfold::cuda

#pragma once
// CUDA kernels on the CPU, for tests: every thread of a block is a fiber, barriers and warp collectives switch between
// them, and which thread goes on is drawn at random. Meant for tiny shapes under sanitizers:
//   address,undefined   out-of-bounds and misaligned accesses to global and shared memory, host reads of device memory
//   thread              data races between threads of a block and between blocks, whatever the order they ran in
// and, with any build: barriers that not all threads reach, collectives with lanes missing, reads of shared memory that
// nobody wrote (filled with NaN), copies read before their wait, work of a stream read before it was waited for.
//
// Environment: TENFOLD_EMULATOR_SEED (default 1; 0: threads, blocks and streams in order).
// Lives on one host thread. Included by kernels/cuda/detail/device.cuh where the compiler is not nvcc.

#include <vector_functions.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <functional>
#include <tuple>
#include <type_traits>
#include <utility>

namespace tenfold::emulator {

using Site = SourcePlace;

/// The running thread as its kernel sees it.
struct Position {
  uint3 thread{}, block{};
  dim3 block_extent, grid_extent;
  unsigned lane = 0;
};
extern const Position* here;

/// Ends the process with a message, thread and place when a kernel breaks a rule.
[[noreturn]] void fail(const char* rule, Site site);
inline void expect(bool holds, const char* rule, Site site) {
  if (!holds) fail(rule, site);
}

void barrier(Site site);
/// All lanes of `mask` come here; then `act` sees the operands of each (null for other lanes) and does the work of all.
using Act = void (*)(void* const* lanes, std::uint32_t mask);
void collective(std::uint32_t mask, void* operands, Act act, Site site);

void* shared_memory(std::size_t bytes, Site site);
bool is_shared(const void* address, std::size_t bytes);

void copy_later(void* destination, const void* source);  ///< 16 bytes; source null: zeros
void copy_commit();
void copy_wait(int pending);

/// Puts a kernel on a stream, to run later.
void enqueue(cudaStream_t stream, dim3 blocks, dim3 threads, std::size_t shared, std::function<void()> kernel,
             Site site);

// ---- what the intrinsics below are made of

template <class T>
struct Shuffle {
  T value, result;
  unsigned source;
};

template <class T>
T shuffle(std::uint32_t mask, T value, unsigned source, Site site) {
  static_assert(std::is_trivially_copyable_v<T> && (sizeof(T) == 4 || sizeof(T) == 8 || sizeof(T) == 2));
  expect((mask >> (source & 31U) & 1U) != 0, "shuffle: the source lane is not in the mask", site);
  Shuffle<T> mine{value, value, source & 31U};
  collective(
      mask, &mine,
      [](void* const* lanes, std::uint32_t) {
        for (unsigned l = 0; l < 32; ++l) {
          if (lanes[l] == nullptr) continue;
          auto& reader = *static_cast<Shuffle<T>*>(lanes[l]);
          reader.result = static_cast<Shuffle<T>*>(lanes[reader.source])->value;
        }
      },
      site);
  return mine.result;
}

struct Vote {
  bool predicate;
  std::uint32_t ballot;
};

inline std::uint32_t ballot(std::uint32_t mask, bool predicate, Site site) {
  Vote mine{predicate, 0};
  collective(
      mask, &mine,
      [](void* const* lanes, std::uint32_t) {
        std::uint32_t bits = 0;
        for (unsigned l = 0; l < 32; ++l) {
          if (lanes[l] != nullptr && static_cast<Vote*>(lanes[l])->predicate) bits |= 1U << l;
        }
        for (unsigned l = 0; l < 32; ++l) {
          if (lanes[l] != nullptr) static_cast<Vote*>(lanes[l])->ballot = bits;
        }
      },
      site);
  return mine.ballot;
}

template <class T, class Change>
T atomic(T* address, Change change) {
  T old = *const_cast<volatile T*>(address);
  using Bits = std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>;
  Bits expected = __atomic_load_n(reinterpret_cast<Bits*>(address), __ATOMIC_RELAXED);
  do {
    old = std::bit_cast<T>(expected);
  } while (!__atomic_compare_exchange_n(reinterpret_cast<Bits*>(address), &expected, std::bit_cast<Bits>(change(old)),
                                        true, __ATOMIC_RELAXED, __ATOMIC_RELAXED));
  return old;
}

}  // namespace tenfold::emulator

namespace tenfold::cuda {

template <class... Parameters, class... Arguments>
void launch(void (*kernel)(Parameters...), const Grid& grid, cudaStream_t stream, Arguments&&... arguments) {
  std::tuple<std::decay_t<Parameters>...> values(std::forward<Arguments>(arguments)...);
  emulator::enqueue(
      stream, grid.blocks, grid.threads, grid.shared, [kernel, values] { std::apply(kernel, values); }, grid.where);
}

template <class T>
T& shared(emulator::Site site = emulator::Site::current()) {
  return *static_cast<T*>(emulator::shared_memory(sizeof(T), site));
}

}  // namespace tenfold::cuda

// ---- CUDA's own names

#undef __shared__
#define __shared__ static_assert(false, "use tenfold::cuda::shared<Struct>()")
#define __launch_bounds__(...)
#define threadIdx (::tenfold::emulator::here->thread)
#define blockIdx (::tenfold::emulator::here->block)
#define blockDim (::tenfold::emulator::here->block_extent)
#define gridDim (::tenfold::emulator::here->grid_extent)
#define warpSize 32

using EmulatorSite = ::tenfold::emulator::Site;

inline void __syncthreads(EmulatorSite site = EmulatorSite::current()) {
  ::tenfold::emulator::barrier(site);
}
inline void __syncwarp(unsigned mask = 0xffffffffU, EmulatorSite site = EmulatorSite::current()) {
  ::tenfold::emulator::collective(mask, nullptr, nullptr, site);
}
inline void __threadfence() {}
inline void __threadfence_block() {}

template <class T>
T __shfl_sync(unsigned mask, T value, int source, int width = 32, EmulatorSite site = EmulatorSite::current()) {
  const unsigned base = ::tenfold::emulator::here->lane & ~unsigned(width - 1);
  return ::tenfold::emulator::shuffle(mask, value, base + (unsigned(source) & unsigned(width - 1)), site);
}
template <class T>
T __shfl_xor_sync(unsigned mask, T value, int bits, int width = 32, EmulatorSite site = EmulatorSite::current()) {
  const unsigned lane = ::tenfold::emulator::here->lane;
  const unsigned source = lane ^ unsigned(bits);
  const bool inside = (source | unsigned(width - 1)) <= (lane | unsigned(width - 1));
  return ::tenfold::emulator::shuffle(mask, value, inside ? source : lane, site);
}
template <class T>
T __shfl_down_sync(unsigned mask, T value, unsigned delta, int width = 32,
                   EmulatorSite site = EmulatorSite::current()) {
  const unsigned lane = ::tenfold::emulator::here->lane;
  const bool inside = (lane & unsigned(width - 1)) + delta < unsigned(width);
  return ::tenfold::emulator::shuffle(mask, value, inside ? lane + delta : lane, site);
}
template <class T>
T __shfl_up_sync(unsigned mask, T value, unsigned delta, int width = 32, EmulatorSite site = EmulatorSite::current()) {
  const unsigned lane = ::tenfold::emulator::here->lane;
  const bool inside = (lane & unsigned(width - 1)) >= delta;
  return ::tenfold::emulator::shuffle(mask, value, inside ? lane - delta : lane, site);
}
inline unsigned __ballot_sync(unsigned mask, int predicate, EmulatorSite site = EmulatorSite::current()) {
  return ::tenfold::emulator::ballot(mask, predicate != 0, site);
}
inline int __any_sync(unsigned mask, int predicate, EmulatorSite site = EmulatorSite::current()) {
  return ::tenfold::emulator::ballot(mask, predicate != 0, site) != 0;
}
inline int __all_sync(unsigned mask, int predicate, EmulatorSite site = EmulatorSite::current()) {
  return ::tenfold::emulator::ballot(mask, predicate != 0, site) == mask;
}

template <class T>
T atomicAdd(T* address, std::type_identity_t<T> value) {
  return ::tenfold::emulator::atomic(address, [value](T old) { return T(old + value); });
}
template <class T>
T atomicMax(T* address, std::type_identity_t<T> value) {
  return ::tenfold::emulator::atomic(address, [value](T old) { return old < value ? value : old; });
}
template <class T>
T atomicExch(T* address, std::type_identity_t<T> value) {
  return ::tenfold::emulator::atomic(address, [value](T) { return value; });
}
template <class T>
T atomicCAS(T* address, std::type_identity_t<T> compare, std::type_identity_t<T> value) {
  return ::tenfold::emulator::atomic(address, [=](T old) { return old == compare ? value : old; });
}

template <class T>
T __ldg(const T* address) {
  return *address;
}
template <class T>
T __ldcs(const T* address) {
  return *address;
}
template <class T>
void __stcs(T* address, T value) {
  *address = value;
}

inline unsigned __float_as_uint(float value) {
  return std::bit_cast<unsigned>(value);
}
inline float __uint_as_float(unsigned value) {
  return std::bit_cast<float>(value);
}
inline int __popc(unsigned value) {
  return std::popcount(value);
}
inline int __clz(int value) {
  return std::countl_zero(static_cast<unsigned>(value));
}
inline int __ffs(int value) {
  return value == 0 ? 0 : std::countr_zero(static_cast<unsigned>(value)) + 1;
}
inline unsigned __umulhi(unsigned a, unsigned b) {
  return unsigned((std::uint64_t{a} * b) >> 32U);
}
inline float __expf(float x) {
  return std::exp(x);
}
inline float __fdividef(float a, float b) {
  return a / b;
}
inline float rsqrtf(float x) {
  return 1.0F / std::sqrt(x);
}
template <class T>
T min(T a, T b) {
  return b < a ? b : a;
}
template <class T>
T max(T a, T b) {
  return a < b ? b : a;
}

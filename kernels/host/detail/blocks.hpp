#pragma once
// The outer loop of a host kernel: Kokkos over blocks of rows or elements. Blocks depend on the shape only, so sums
// that are made block by block and combined in block order do not depend on the number of threads.
//
// Where Kokkos' host space has no threads (Debian's is Serial), OpenMP has them, which oneDNN brings along.

#include <omp.h>

#include <Kokkos_Core.hpp>
#include <algorithm>
#include <cstdint>
#include <exception>
#include <string>
#include <type_traits>
#include <vector>

namespace tenfold::kernels::detail {

/// A kernel's label. Static where it is used: Kokkos wants a std::string, and kernels do not allocate.
using Label = const std::string;

inline constexpr std::int64_t block_elements = 8192;

#ifdef KOKKOS_ENABLE_SERIAL
inline constexpr bool loops_by_openmp = std::is_same_v<Kokkos::DefaultHostExecutionSpace, Kokkos::Serial>;
#else
inline constexpr bool loops_by_openmp = false;
#endif

/// Threads of for_blocks.
inline int threads() {
  return loops_by_openmp ? omp_get_max_threads() : Kokkos::DefaultHostExecutionSpace().concurrency();
}

/// One copy of a body's code, whoever calls it: a compiler that inlines it into two loops may order their sums in two
/// ways, and bits would depend on the number of threads.
template <class Body>
[[gnu::noinline]] void run(const Body& body, std::int64_t i) {
  body(i);
}

/// body(i) for i in [0, count), by the threads of OpenMP; what one throws is thrown again when all are done.
template <class Body>
void for_each_by_openmp(std::int64_t count, const Body& body) {
  if (count <= 1 || threads() == 1 || omp_in_parallel() != 0) {
    for (std::int64_t i = 0; i < count; ++i) run(body, i);
    return;
  }
  std::exception_ptr failure;
#pragma omp parallel for schedule(dynamic, 1)
  for (std::int64_t i = 0; i < count; ++i) {
    try {
      run(body, i);
    } catch (...) {
#pragma omp critical(tenfold_for_blocks)
      failure = std::current_exception();
    }
  }
  if (failure) std::rethrow_exception(failure);
}

/// body(begin, end) for consecutive ranges of `step` over [0, count), in parallel.
template <class Body>
void for_blocks(Label& label, std::int64_t count, std::int64_t step, const Body& body) {
  using Policy = Kokkos::RangePolicy<Kokkos::DefaultHostExecutionSpace, Kokkos::IndexType<std::int64_t>>;
  const std::int64_t blocks = (count + step - 1) / step;
  const auto block = [=](std::int64_t i) { body(i * step, std::min(count, (i + 1) * step)); };
  if constexpr (loops_by_openmp)  // within one iteration of Kokkos, whose tools see it
    Kokkos::parallel_for(label, Policy(0, 1), [&](std::int64_t) { for_each_by_openmp(blocks, block); });
  else
    Kokkos::parallel_for(label, Policy(0, blocks), block);
}

/// Rows of `width` elements in one block: about block_elements, at least one row.
inline std::int64_t rows_per_block(std::int64_t width) {
  return std::max<std::int64_t>(1, block_elements / std::max<std::int64_t>(1, width));
}

/// Scratch of at least `count` elements on a cache line's boundary that lives as long as its thread: taken anew only
/// when it must grow.
template <class T, class Purpose>
T* scratch(std::int64_t count) {
  constexpr std::int64_t elements = 64 / sizeof(T);
  struct alignas(64) Line {
    T values[elements];
  };
  static thread_local std::vector<Line> storage;
  const auto lines = static_cast<std::size_t>((count + elements - 1) / elements);
  if (storage.size() < lines) storage.resize(lines);
  return reinterpret_cast<T*>(storage.data());
}

}  // namespace tenfold::kernels::detail

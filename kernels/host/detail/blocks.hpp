#pragma once
// The outer loop of a host kernel: Kokkos over blocks of rows or elements. Blocks depend on the shape only, so sums
// that are made block by block and combined in block order do not depend on the number of threads.

#include <Kokkos_Core.hpp>
#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

namespace tenfold::kernels::detail {

/// A kernel's label. Static where it is used: Kokkos wants a std::string, and kernels do not allocate.
using Label = const std::string;

inline constexpr std::int64_t block_elements = 8192;

/// body(begin, end) for consecutive ranges of `step` over [0, count), in parallel.
template <class Body>
void for_blocks(Label& label, std::int64_t count, std::int64_t step, const Body& body) {
  using Policy = Kokkos::RangePolicy<Kokkos::DefaultHostExecutionSpace, Kokkos::IndexType<std::int64_t>>;
  Kokkos::parallel_for(label, Policy(0, (count + step - 1) / step),
                       [=](std::int64_t block) { body(block * step, std::min(count, (block + 1) * step)); });
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

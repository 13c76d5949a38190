#pragma once
// Norms of stored tensors, read in parts.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <span>
#include <vector>

namespace tenfold::detail {

/// Euclidean norm of a tensor of which read(begin, values) brings elements from `begin` on.
template <class Read>
double norm(std::int64_t elements, const Read& read) {
  constexpr std::int64_t part = 1 << 20;
  std::vector<float> values;
  double sum = 0;
  for (std::int64_t begin = 0; begin < elements; begin += part) {
    values.resize(static_cast<std::size_t>(std::min(part, elements - begin)));
    read(begin, std::span(values));
    for (const float value : values) sum += static_cast<double>(value) * value;
  }
  return std::sqrt(sum);
}

}  // namespace tenfold::detail

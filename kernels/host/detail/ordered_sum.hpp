#pragma once
// Sums in a fixed order.

#include "kernels/host/detail/blocks.hpp"

namespace tenfold::kernels::detail {

struct Partials;  // names the scratch of the sums

/// Sum of term(values[i]) in f64: block by block, blocks in order, whatever the number of threads.
template <class T, class Term>
double ordered_sum(Label& label, const T* values, std::int64_t count, Term term) {
  double* partials = scratch<double, Partials>((count + block_elements - 1) / block_elements);
  for_blocks(label, count, block_elements, [=](std::int64_t begin, std::int64_t end) {
    double sum = 0;
#pragma omp simd reduction(+ : sum)
    for (std::int64_t i = begin; i < end; ++i) sum += term(static_cast<double>(values[i]));
    partials[begin / block_elements] = sum;
  });
  double sum = 0;
  for (std::int64_t begin = 0; begin < count; begin += block_elements) sum += partials[begin / block_elements];
  return sum;
}

}  // namespace tenfold::kernels::detail

#include "training/peak.hpp"

#include <algorithm>

#include "kernels/linear.hpp"

namespace tenfold {

double measure_matmul_peak(Queue& queue, DType type) {
  constexpr int repeats = 20;
  return std::max(kernels::measure_matmul(queue, type, 1024, repeats), kernels::measure_matmul(queue, type, 2048, repeats / 4));
}

}  // namespace tenfold

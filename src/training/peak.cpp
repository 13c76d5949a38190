#include "training/peak.hpp"

#include <algorithm>

namespace tenfold {

double measure_matmul_peak(const Device& device, Queue& queue, DType type, kernels::OperandLayout layout, int repeats) {
  const std::int64_t large = device.facts().yardstick;
  double best = 0;
  for (const auto& [extent, times] : {std::pair<std::int64_t, int>{large / 2, 4 * repeats}, {large, repeats}}) {
    const double flops = 2.0 * static_cast<double>(extent * extent * extent);
    best = std::max(best, flops / kernels::measure_matmul(queue, type, layout, extent, times));
  }
  return best;
}

}  // namespace tenfold

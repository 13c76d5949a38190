#include "training/peak.hpp"

namespace tenfold {

double measure_matmul_peak(Queue& queue, DType type, kernels::OperandLayout layout, std::int64_t extent, int repeats) {
  const auto n = static_cast<double>(extent);
  return 2.0 * n * n * n / kernels::measure_matmul(queue, type, layout, extent, repeats);
}

}  // namespace tenfold

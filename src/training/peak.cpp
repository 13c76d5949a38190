#include "training/peak.hpp"

#include <algorithm>
#include <chrono>

#include "base/arena.hpp"
#include "kernels/linear.hpp"
#include "kernels/optimizer.hpp"

namespace tenfold {

double measure_matmul_peak(Queue& queue, DType type) {
  constexpr double seconds_each = 0.4;
  double best = 0;
  for (std::int64_t n : {1024, 2048}) {
    Arena arena(queue.device());
    const Tensor noise = arena.allocate(DType::f32, {n, n});
    const Tensor a = arena.allocate(type, {n, n});
    const Tensor b = arena.allocate(type, {n, n});
    const Tensor c = arena.allocate(type, {n, n});
    kernels::fill_normal(queue, 1, 0.0F, 1.0F, noise);
    kernels::convert(queue, noise, a);
    kernels::convert(queue, noise, b);
    kernels::matmul(queue, a, false, b, false, c);
    // The best single product: what the machine can do when nothing disturbs it.
    double seconds = 0;
    while (seconds < seconds_each) {
      const auto start = std::chrono::steady_clock::now();
      kernels::matmul(queue, a, false, b, false, c);
      const double once = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
      best = std::max(best, 2.0 * static_cast<double>(n * n * n) / once);
      seconds += once;
    }
  }
  return best;
}

}  // namespace tenfold

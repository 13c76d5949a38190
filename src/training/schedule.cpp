#include "training/schedule.hpp"

namespace tenfold {

double learning_rate(const OptimizerSettings& optimizer, std::int64_t step, std::int64_t steps) {
  const auto t = static_cast<double>(step);
  const auto warmup = static_cast<double>(optimizer.warmup_steps);
  if (t <= warmup) return optimizer.learning_rate * t / warmup;
  return optimizer.learning_rate * (1.0 - (t - warmup) / (static_cast<double>(steps) + 1.0 - warmup));
}

}  // namespace tenfold

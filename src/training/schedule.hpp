#pragma once
// Learning rate: linear warm-up, then linear decay that reaches 0 one step after the last, so that the last step still
// learns.

#include "config/settings.hpp"

namespace tenfold {

/// For step 1 .. steps: lr * t / warm-up up to the warm-up, then lr * (1 - (t - warm-up) / (steps + 1 - warm-up)).
double learning_rate(const OptimizerSettings& optimizer, std::int64_t step, std::int64_t steps);

}  // namespace tenfold

#pragma once
// Learning rate: linear warm-up, then linear decay to 0 at the last step (fairseq's polynomial decay of power 1).

#include "config/settings.hpp"

namespace tenfold {

/// For step 1 .. steps: lr * t / warm-up up to the warm-up, then lr * (1 - (t - warm-up) / (steps - warm-up)).
double learning_rate(const OptimizerSettings& optimizer, std::int64_t step, std::int64_t steps);

}  // namespace tenfold

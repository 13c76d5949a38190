#include "training/schedule.hpp"

#include <gtest/gtest.h>

namespace tenfold {
namespace {

OptimizerSettings with(double rate, std::int64_t warmup) {
  OptimizerSettings optimizer;
  optimizer.learning_rate = rate;
  optimizer.warmup_steps = warmup;
  return optimizer;
}

TEST(LearningRate, WarmsUpThenDecaysToZeroOneStepAfterTheLast) {
  const OptimizerSettings optimizer = with(2e-3, 10);
  EXPECT_DOUBLE_EQ(learning_rate(optimizer, 1, 109), 2e-4);
  EXPECT_DOUBLE_EQ(learning_rate(optimizer, 10, 109), 2e-3);
  EXPECT_DOUBLE_EQ(learning_rate(optimizer, 60, 109), 1e-3);
  EXPECT_DOUBLE_EQ(learning_rate(optimizer, 110, 109), 0);
}

TEST(LearningRate, OfTheLastStepIsOneDecrementAboveZero) {
  for (const std::int64_t warmup : {0, 1, 40})
    for (const std::int64_t steps : {41, 100, 100'000}) {
      const OptimizerSettings optimizer = with(1e-3, warmup);
      const double decrement = 1e-3 / static_cast<double>(steps + 1 - warmup);
      EXPECT_NEAR(learning_rate(optimizer, steps, steps), decrement, 1e-12 * 1e-3);
      EXPECT_DOUBLE_EQ(learning_rate(optimizer, steps + 1, steps), 0);
    }
}

TEST(LearningRate, WithoutWarmUpStartsToDecayAtOnce) {
  EXPECT_DOUBLE_EQ(learning_rate(with(1e-3, 0), 1, 99), 0.99e-3);
}

TEST(LearningRate, OfARunThatIsAllWarmUpEndsAtItsHighest) {
  EXPECT_DOUBLE_EQ(learning_rate(with(1e-3, 10), 10, 10), 1e-3);
}

}  // namespace
}  // namespace tenfold

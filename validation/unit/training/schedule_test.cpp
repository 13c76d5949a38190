#include "training/schedule.hpp"

#include <gtest/gtest.h>

namespace tenfold {
namespace {

TEST(LearningRate, WarmsUpThenDecaysToZero) {
  OptimizerSettings optimizer;
  optimizer.learning_rate = 2e-3;
  optimizer.warmup_steps = 10;
  EXPECT_DOUBLE_EQ(learning_rate(optimizer, 1, 110), 2e-4);
  EXPECT_DOUBLE_EQ(learning_rate(optimizer, 10, 110), 2e-3);
  EXPECT_DOUBLE_EQ(learning_rate(optimizer, 60, 110), 1e-3);
  EXPECT_DOUBLE_EQ(learning_rate(optimizer, 110, 110), 0);
}

TEST(LearningRate, WithoutWarmUpStartsToDecayAtOnce) {
  OptimizerSettings optimizer;
  optimizer.learning_rate = 1e-3;
  optimizer.warmup_steps = 0;
  EXPECT_DOUBLE_EQ(learning_rate(optimizer, 1, 100), 0.99e-3);
}

}  // namespace
}  // namespace tenfold

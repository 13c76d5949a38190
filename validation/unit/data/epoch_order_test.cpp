#include "data/epoch_order.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

namespace tenfold {
namespace {

class EpochOrderOfSize : public testing::TestWithParam<std::int64_t> {};

TEST_P(EpochOrderOfSize, IsAPermutationInEveryEpoch) {
  const std::int64_t n = GetParam();
  const EpochOrder order(n, 42);
  for (std::int64_t epoch : {0, 1, 7}) {
    std::vector<bool> seen(static_cast<std::size_t>(n));
    for (std::int64_t i = 0; i < n; ++i) {
      const std::int64_t sequence = order.at(epoch, i);
      ASSERT_GE(sequence, 0);
      ASSERT_LT(sequence, n);
      ASSERT_FALSE(seen[static_cast<std::size_t>(sequence)]) << "twice in epoch " << epoch;
      seen[static_cast<std::size_t>(sequence)] = true;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Sizes, EpochOrderOfSize, testing::Values(1, 2, 3, 5, 16, 17, 1000, 4097));

TEST(EpochOrder, DiffersBetweenEpochsAndSeeds) {
  constexpr std::int64_t n = 1000;
  const EpochOrder order(n, 1);
  const EpochOrder other(n, 2);
  int same_epoch = 0;
  int same_seed = 0;
  for (std::int64_t i = 0; i < n; ++i) {
    same_epoch += order.at(0, i) == order.at(1, i);
    same_seed += order.at(0, i) == other.at(0, i);
  }
  // Two random permutations agree in one place on average, and in more than ten hardly ever (Poisson, 1e-8).
  EXPECT_LE(same_epoch, 10);
  EXPECT_LE(same_seed, 10);
}

TEST(EpochOrder, NeighboursLandAnywhere) {
  constexpr std::int64_t n = 1 << 14;
  const EpochOrder order(n, 3);
  double sum = 0;
  for (std::int64_t i = 0; i + 1 < n; ++i) sum += static_cast<double>(std::abs(order.at(0, i + 1) - order.at(0, i)));
  // The mean distance of two random places is n / 3; its standard error here is below 0.002 n.
  EXPECT_NEAR(sum / (n - 1) / n, 1.0 / 3.0, 0.01);
}

}  // namespace
}  // namespace tenfold

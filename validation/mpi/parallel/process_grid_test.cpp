#include "parallel/process_grid.hpp"

#include <gtest/gtest.h>

#include "world.hpp"

namespace tenfold {
namespace {

using testing::world;

/// The world ranks of a group, in the group's order.
std::vector<int> members(MpiCommunicator& group) {
  return group.all_gather(world().rank());
}

TEST(ProcessGrid, OfDataRanksOnly) {
  ProcessGrid grid(world(), world().size(), 1);
  EXPECT_EQ(grid.data().size(), world().size());
  EXPECT_EQ(grid.data().rank(), world().rank());
  EXPECT_EQ(grid.tensor().size(), 1);
}

TEST(ProcessGrid, OfTensorRanksOnly) {
  ProcessGrid grid(world(), 1, world().size());
  EXPECT_EQ(grid.data().size(), 1);
  EXPECT_EQ(grid.tensor().size(), world().size());
  EXPECT_EQ(grid.tensor().rank(), world().rank());
}

TEST(ProcessGrid, TwoByTwoKeepsTensorGroupsTogether) {
  if (world().size() != 4) GTEST_SKIP() << "needs four ranks";
  ProcessGrid grid(world(), 2, 2);
  const int rank = world().rank();
  EXPECT_EQ(members(grid.tensor()), rank < 2 ? (std::vector<int>{0, 1}) : (std::vector<int>{2, 3}));
  EXPECT_EQ(members(grid.data()), rank % 2 == 0 ? (std::vector<int>{0, 2}) : (std::vector<int>{1, 3}));
}

TEST(ProcessGrid, RefusesAGridOfOtherSize) {
  EXPECT_THROW(ProcessGrid(world(), world().size() + 1, 1), Error);
  EXPECT_THROW(ProcessGrid(world(), world().size(), 2), Error);
}

}  // namespace
}  // namespace tenfold

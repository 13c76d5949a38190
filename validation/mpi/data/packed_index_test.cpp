// The index of packed sequences lies in memory once a node, whatever the nodes.
#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "data/packing.hpp"
#include "world.hpp"

namespace tenfold {
namespace {

using testing::world;

/// What rank r of a world contributes: r + 2 numbers, none for rank 1.
std::vector<std::int64_t> part_of(int rank) {
  std::vector<std::int64_t> part;
  for (std::int64_t i = 0; i < (rank == 1 ? 0 : rank + 2); ++i) part.push_back(1000 * rank + i);
  return part;
}

PackedIndex share(MpiCommunicator& node) {
  const std::vector<std::int64_t> mine = part_of(world().rank());
  return detail::share_index(static_cast<std::int64_t>(mine.size()), -7, world(), node,
                             [&](std::span<std::int64_t> part) { std::ranges::copy(mine, part.begin()); });
}

std::vector<std::int64_t> expected() {
  std::vector<std::int64_t> all;
  for (int rank = 0; rank < world().size(); ++rank) std::ranges::copy(part_of(rank), std::back_inserter(all));
  all.push_back(-7);
  return all;
}

// Groups of ranks stand in for nodes; of two, so that their ranks alternate in the world, too.
TEST(PackedIndex, IsTheSameOnEveryRankOfAnyNodes) {
  for (int nodes = 1; nodes <= world().size(); ++nodes) {
    for (const int color : {world().rank() % nodes, world().rank() * nodes / world().size()}) {
      MpiCommunicator node = world().split(color, world().rank());
      const PackedIndex index = share(node);
      EXPECT_EQ(std::vector<std::int64_t>(index.values().begin(), index.values().end()), expected()) << nodes;
    }
  }
}

TEST(PackedIndex, IsOneMemoryForTheRanksOfANode) {
  MpiCommunicator node = world().split_node();
  PackedIndex index = share(node);
  node.barrier();
  if (node.rank() == node.size() - 1) index.values()[0] = 4711;
  node.barrier();
  EXPECT_EQ(index[0], 4711);
}

TEST(PackedIndex, AFailureOfOneRankIsEveryones) {
  MpiCommunicator node = world().split_node();
  EXPECT_THROW(detail::share_index(1, 0, world(), node,
                                   [&](std::span<std::int64_t>) {
                                     if (world().rank() == world().size() - 1) throw Error("cannot be read");
                                   }),
               Error);
}

}  // namespace
}  // namespace tenfold

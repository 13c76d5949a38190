#include <gtest/gtest.h>

#include "process/host_table.hpp"

namespace tenfold {
namespace {

TEST(ThreadsOf, UnboundRanksDivideTheNode) {
  const std::vector<CpuSet> two(2, CpuSet{0, 1, 2, 3, 4, 5, 6, 7});
  EXPECT_EQ(threads_of(two, 0), 4);
  EXPECT_EQ(threads_of(two, 1), 4);
  EXPECT_EQ(threads_of(std::vector<CpuSet>(3, CpuSet{0, 1, 2, 3, 4, 5, 6, 7}), 2), 2);
  EXPECT_EQ(threads_of(std::vector<CpuSet>(1, CpuSet{0, 1, 2}), 0), 3);
}

TEST(ThreadsOf, OversubscribedRanksGetOneEach) {
  EXPECT_EQ(threads_of(std::vector<CpuSet>(4, CpuSet{0, 1}), 3), 1);
}

TEST(ThreadsOf, RanksBoundApartUseWhatTheyHave) {
  const std::vector<CpuSet> bindings{{0}, {1, 2}, {3, 7}};
  EXPECT_EQ(threads_of(bindings, 0), 1);
  EXPECT_EQ(threads_of(bindings, 1), 2);
  EXPECT_EQ(threads_of(bindings, 2), 2);
}

TEST(ThreadsOf, RanksBoundToOneSocketShareIt) {
  const std::vector<CpuSet> bindings{{0, 1, 2, 3}, {0, 1, 2, 3}, {4, 5, 6, 7}};
  EXPECT_EQ(threads_of(bindings, 0), 2);
  EXPECT_EQ(threads_of(bindings, 1), 2);
  EXPECT_EQ(threads_of(bindings, 2), 4);
}

TEST(ThreadsOf, OverlappingBindingsAreRefused) {
  const std::vector<CpuSet> bindings{{0, 1}, {1, 2}};
  EXPECT_THROW(threads_of(bindings, 0), InputError);
  EXPECT_THROW(threads_of(bindings, 1), InputError);
}

TEST(ThreadsOf, TwoRanksBoundToOneProcessorAreRefused) {
  EXPECT_THROW(threads_of(std::vector<CpuSet>{{0}, {0}, {1}}, 0), InputError);
}

TEST(RanksInstead, AreOneAThreadAndNoMoreThanProcessors) {
  const auto unbound = [](std::size_t ranks) { return std::vector<CpuSet>(ranks, CpuSet{0, 1, 2, 3}); };
  EXPECT_EQ(ranks_instead(unbound(1), 1), 1) << "as it should be, on a part of the node";
  EXPECT_EQ(ranks_instead(unbound(1), 2), 2);
  EXPECT_EQ(ranks_instead(unbound(2), 2), 4);
  EXPECT_EQ(ranks_instead(unbound(3), 3), 4);
  EXPECT_EQ(ranks_instead(unbound(5), 2), 5) << "more ranks than processors";
  EXPECT_EQ(ranks_instead(std::vector<CpuSet>{{0, 1}, {2, 3}}, 2), 4);
  EXPECT_EQ(ranks_instead(std::vector<CpuSet>{{0}}, 2), 1);
}

TEST(Describe, WritesRunsOfProcessors) {
  EXPECT_EQ(describe({0, 1, 2, 3, 8}), "0-3,8");
  EXPECT_EQ(describe({5}), "5");
  EXPECT_EQ(describe({1, 3, 4}), "1,3-4");
}

}  // namespace
}  // namespace tenfold

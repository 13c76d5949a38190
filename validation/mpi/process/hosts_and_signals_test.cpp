#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>

#include "process/host_table.hpp"
#include "process/signals.hpp"
#include "world.hpp"

namespace tenfold {
namespace {

using testing::world;

TEST(HostTable, HasALineARankAndIsTheSameEverywhere) {
  const std::string table = host_table(world());
  EXPECT_EQ(std::count(table.begin(), table.end(), '\n'), world().size() + 1);
  EXPECT_NE(table.find(std::to_string(getpid())), std::string::npos) << table;
  std::string of_root = table;
  world().broadcast(of_root);
  EXPECT_EQ(table, of_root);
}

TEST(DefaultThreads, AreAtLeastOneAndAtMostTheProcessors) {
  const int threads = default_threads(world());
  EXPECT_GE(threads, 1);
  EXPECT_LE(threads, sysconf(_SC_NPROCESSORS_CONF));
}

TEST(StopSignals, OfOneRankStopAll) {
  for (int signal : {SIGUSR1, SIGTERM}) {
    const StopSignals signals;
    EXPECT_FALSE(signals.requested(world()));
    const bool mine = world().rank() == world().size() - 1;
    if (mine) {
      ASSERT_EQ(raise(signal), 0);
    }
    EXPECT_EQ(signals.received(), mine);
    EXPECT_TRUE(signals.requested(world()));
  }
}

TEST(StopSignals, AreGivenBack) {
  struct sigaction before {};
  struct sigaction after {};
  ASSERT_EQ(sigaction(SIGUSR1, nullptr, &before), 0);
  { const StopSignals signals; }
  ASSERT_EQ(sigaction(SIGUSR1, nullptr, &after), 0);
  EXPECT_EQ(before.sa_handler, after.sa_handler);
}

}  // namespace
}  // namespace tenfold

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <thread>

#include "process/host_table.hpp"
#include "world.hpp"

namespace tenfold {
namespace {

using testing::world;

TEST(HostTable, HasALineARankAndIsTheSameEverywhere) {
  const std::string table = host_table(world(), "");
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

TEST(Signals, OfOneRankStopAll) {
  const Signals& signals = testing::runtime().signals();
  EXPECT_FALSE(signals.requested(world()));
  const bool mine = world().rank() == world().size() - 1;
  if (mine) {
    ASSERT_EQ(kill(getpid(), SIGTERM), 0);
    while (!signals.received()) std::this_thread::yield();
  }
  EXPECT_TRUE(signals.requested(world()));
  EXPECT_EQ(signals.received(), mine);
}

TEST(Signals, AreNotBlockedInAChildThatIsForked) {
  const pid_t child = fork();
  if (child == 0) {
    kill(getpid(), SIGTERM);
    _exit(0);
  }
  ASSERT_GT(child, 0);
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM) << status;
}

}  // namespace
}  // namespace tenfold

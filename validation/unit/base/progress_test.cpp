#include "base/progress.hpp"

#include <gtest/gtest.h>

#include <utility>

namespace tenfold {
namespace {

TEST(Progress, EverySignOfLifeIsProgress) {
  Progress progress;
  std::int64_t ticks = progress.ticks();
  const auto moved = [&] { return progress.ticks() > std::exchange(ticks, progress.ticks()); };
  progress.step(3);
  EXPECT_TRUE(moved());
  progress.region("tenfold::gelu::forward");
  EXPECT_TRUE(moved());
  progress.tick();
  EXPECT_TRUE(moved());
  EXPECT_FALSE(moved());
  EXPECT_EQ(progress.current_step(), 3);
  EXPECT_STREQ(progress.current_region(), "tenfold::gelu::forward");
}

TEST(Progress, WaitingEndsWithItsScopeAndNests) {
  Progress progress;
  {
    const Progress::Waiting outer(progress, "checkpoint");
    {
      const Progress::Waiting inner(progress, "MPI_Barrier");
      EXPECT_STREQ(progress.waiting_in(), "MPI_Barrier");
    }
    EXPECT_STREQ(progress.waiting_in(), "checkpoint");
  }
  EXPECT_EQ(progress.waiting_in(), nullptr);
}

TEST(Progress, IsSeenWhereItIsPublished) {
  Progress progress;
  progress.step(7);
  Standing seen;
  progress.publish(&seen);
  EXPECT_EQ(seen.step.load(), 7);
  EXPECT_EQ(seen.region.load(), "start");
  {
    const Progress::Waiting waiting(progress, "MPI_Barrier");
    EXPECT_EQ(seen.waiting.load(), "MPI_Barrier");
  }
  EXPECT_EQ(seen.waiting.load(), "");
  EXPECT_EQ(seen.ticks.load(), progress.ticks());
  progress.publish(nullptr);
  progress.step(8);
  EXPECT_EQ(seen.step.load(), 7);
}

TEST(SharedText, HoldsShortTextsAndCutsLongOnes) {
  SharedText text;
  EXPECT_EQ(text.load(), "");
  text.store("tenfold::attention::forward");
  EXPECT_EQ(text.load(), "tenfold::attention::forward");
  text.store("x");
  EXPECT_EQ(text.load(), "x");
  const std::string longer(500, 'y');
  text.store(longer.c_str());
  EXPECT_EQ(text.load(), longer.substr(0, text.load().size()));
  EXPECT_GE(text.load().size(), 60U);
}

}  // namespace
}  // namespace tenfold

#include "base/queue.hpp"

#include <gtest/gtest.h>

#include <string>
#include <type_traits>
#include <vector>

#include "base/profile.hpp"
#include "kernels/device.hpp"

namespace tenfold {
namespace {

static_assert(std::is_nothrow_destructible_v<Queue::Region>);

constexpr const char* poll = "tenfold::communication::poll";

class RegionTest : public ::testing::Test {
 protected:
  std::unique_ptr<Device> device_ = kernels::make_device(DeviceKind::host, 0);
  std::unique_ptr<Queue> queue_ = device_->make_queue();
};

TEST_F(RegionTest, TheObserverSeesEveryBeginAndNoEnd) {
  std::vector<std::string> seen;
  queue_->observe([&](const char* label) { seen.emplace_back(label); });
  {
    const Queue::Region outer(*queue_, "outer");
    const Queue::Region inner(*queue_, "inner");
  }
  const Queue::Region next(*queue_, "next");
  EXPECT_EQ(seen, (std::vector<std::string>{"outer", "inner", "next"}));
}

TEST_F(RegionTest, WhatAnObserverThrowsReachesTheCaller) {
  queue_->observe([](const char* label) {
    if (std::string(label) == "inner") throw Error("another rank stopped");
  });
  bool worked = false;
  const auto call = [&] {
    const Queue::Region outer(*queue_, "outer");
    const Queue::Region inner(*queue_, "inner");
    worked = true;
  };
  EXPECT_THROW(call(), Error);
  EXPECT_FALSE(worked) << "nothing is done in a region that did not begin";
  const Queue::Region after(*queue_, "after");  // the queue goes on
}

// A region ends while an exception passes through it: an observer called there would end the program.
TEST_F(RegionTest, ARegionThatAnExceptionLeavesDoesNotCallTheObserver) {
  bool armed = false;
  queue_->observe([&](const char*) {
    if (armed) throw Error("from the observer");
  });
  const auto call = [&] {
    const Queue::Region region(*queue_, "region");
    armed = true;
    throw InputError("from the work");
  };
  EXPECT_THROW(call(), InputError);
}

TEST_F(RegionTest, TimeIsBookedUnderItsLabelAndTheObserversApart) {
  Profile profile;
  queue_->book(&profile);
  { const Queue::Region region(*queue_, "region"); }
  EXPECT_EQ(profile.entries().size(), 1U) << "nobody observed";
  queue_->observe([](const char*) {});
  { const Queue::Region region(*queue_, "region"); }
  EXPECT_EQ(profile.entries().at("region").calls, 2);
  EXPECT_EQ(profile.entries().at(poll).calls, 1);
  queue_->book(nullptr);
  { const Queue::Region region(*queue_, "region"); }
  EXPECT_EQ(profile.entries().at("region").calls, 2);
}

TEST_F(RegionTest, TheBooksGoOnAfterAnExceptionOfAnObserver) {
  Profile profile;
  queue_->book(&profile);
  queue_->observe([](const char*) { throw Error("stop"); });
  EXPECT_THROW(Queue::Region(*queue_, "lost"), Error);
  queue_->observe({});
  { const Queue::Region region(*queue_, "region"); }
  EXPECT_EQ(profile.entries().at("region").calls, 1);
  EXPECT_FALSE(profile.entries().contains("lost"));
}

std::vector<std::string> told;

TEST_F(RegionTest, AProfilerOfTheProcessHearsBeginAndEnd) {
  const auto before = Queue::profiler;
  Queue::profiler = [](const char* label, bool begin) { told.push_back(text(label, begin ? " begins" : " ends")); };
  {
    const Queue::Region outer(*queue_, "outer");
    const Queue::Region inner(*queue_, "inner");
  }
  Queue::profiler = before;
  EXPECT_EQ(told, (std::vector<std::string>{"outer begins", "inner begins", "inner ends", "outer ends"}));
}

}  // namespace
}  // namespace tenfold

#include "base/profile.hpp"

#include <gtest/gtest.h>

namespace tenfold {
namespace {

/// Waits until the clock has moved and returns by how much.
double pass_time() {
  const Clock::time_point start = Clock::now();
  while (Clock::now() - start < std::chrono::microseconds(200)) continue;
  return seconds_since(start);
}

TEST(Profile, ARegionHasItsTimeWithoutThatOfTheRegionsWithinIt) {
  Profile profile;
  double outer = 0, inner = 0;
  const Clock::time_point start = Clock::now();
  profile.begin("outer");
  outer += pass_time();
  for (int call = 0; call < 3; ++call) {
    profile.begin("inner");
    inner += pass_time();
    profile.end();
    outer += pass_time();
  }
  profile.end();
  const double whole = seconds_since(start);
  ASSERT_EQ(profile.entries().size(), 2U);
  const Profile::Entry in_outer = profile.entries().at("outer"), in_inner = profile.entries().at("inner");
  EXPECT_EQ(in_outer.calls, 1);
  EXPECT_EQ(in_inner.calls, 3);
  EXPECT_GE(in_outer.seconds, outer);
  EXPECT_GE(in_inner.seconds, inner);
  EXPECT_LE(in_outer.seconds + in_inner.seconds, whole * (1 + 1e-9)) << "no time twice";
}

TEST(Profile, ALabelWithinItselfCountsItsTimeOnce) {
  Profile profile;
  const Clock::time_point start = Clock::now();
  double passed = 0;
  for (int depth = 0; depth < 4; ++depth) {
    profile.begin("again");
    passed += pass_time();
  }
  for (int depth = 0; depth < 4; ++depth) profile.end();
  const double whole = seconds_since(start);
  const Profile::Entry entry = profile.entries().at("again");
  EXPECT_EQ(entry.calls, 4);
  EXPECT_GE(entry.seconds, passed);
  EXPECT_LE(entry.seconds, whole * (1 + 1e-9));
}

TEST(Profile, LabelsOfTheSameTextAreOneWhereverTheyStand) {
  const std::string text = "label", copy = text;
  Profile profile;
  for (const char* label : {text.c_str(), copy.c_str()}) {
    profile.begin(label);
    profile.end();
  }
  ASSERT_EQ(profile.entries().size(), 1U);
  EXPECT_EQ(profile.entries().at("label").calls, 2);
}

TEST(Profile, AnEndWithoutABeginIsHarmless) {
  Profile profile;
  profile.end();
  EXPECT_TRUE(profile.entries().empty());
  profile.begin("region");
  profile.end();
  profile.end();
  profile.begin("region");
  profile.end();
  EXPECT_EQ(profile.entries().at("region").calls, 2);
}

}  // namespace
}  // namespace tenfold

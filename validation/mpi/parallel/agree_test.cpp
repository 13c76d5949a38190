#include "parallel/agree.hpp"

#include <gtest/gtest.h>

#include <new>

#include "world.hpp"

namespace tenfold {
namespace {

using testing::world;

/// What every rank of the world is told when `operation` fails somewhere.
template <class Operation>
AgreedError outcome(Operation operation) {
  try {
    agree(world(), operation);
  } catch (const AgreedError& error) {
    return error;
  }
  ADD_FAILURE() << "the ranks agreed on success";
  return {"", ExitCode::done, -1, 0, "", ""};
}

TEST(Agree, ReturnsEachRanksOwnResult) {
  EXPECT_EQ(agree(world(), [] { return 10 * world().rank(); }), 10 * world().rank());
  int calls = 0;
  agree(world(), [&] { ++calls; });
  EXPECT_EQ(calls, 1);
}

TEST(Agree, TellsEveryRankWhatFailedOnOne) {
  const int last = world().size() - 1;
  const AgreedError error = outcome([&] {
    if (world().rank() == last) throw InputError("cannot read corpus.h5");
  });
  EXPECT_STREQ(error.what(), "cannot read corpus.h5");
  EXPECT_EQ(error.code(), ExitCode::bad_input);
  EXPECT_EQ(error.rank(), last);
  EXPECT_EQ(error.group(), world().size());
  EXPECT_FALSE(error.host().empty());
  EXPECT_NE(error.source().find("agree_test.cpp:"), std::string::npos) << error.source();
}

TEST(Agree, NamesTheLowestRankWhereSeveralFail) {
  const AgreedError error = outcome([]() -> int {
    if (world().rank() * 2 >= world().size() - 1) throw Error("failed on " + std::to_string(world().rank()));
    return 0;
  });
  const int lowest = world().size() / 2;  // of 1, 2, 3, 4 ranks: 0, 1, 1, 2
  EXPECT_EQ(error.rank(), lowest);
  EXPECT_EQ(error.what(), "failed on " + std::to_string(lowest));
  EXPECT_EQ(error.code(), ExitCode::failure);
}

TEST(Agree, CarriesExceptionsOfOthers) {
  EXPECT_STREQ(outcome([] { throw std::out_of_range("index 7"); }).what(), "index 7");
  EXPECT_EQ(outcome([] { throw std::bad_alloc(); }).code(), ExitCode::failure);
  EXPECT_EQ(outcome([] { throw 5; }).rank(), 0);
}

TEST(Agree, LeavesTheCommunicatorUsableAfterAFailure) {
  outcome([] { throw Error("once"); });
  EXPECT_EQ(world().all_reduce_sum(std::int64_t{1}), world().size());
}

}  // namespace
}  // namespace tenfold

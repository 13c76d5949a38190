// The table: what updates make of it, on any number of ranks.

#include <cmath>
#include <limits>

#include "note_test.hpp"

namespace tenfold {
namespace {

using testing::Contribution;
using testing::Contributions;
using testing::draw;
using testing::Notes;
using testing::Table;
using testing::update;
using testing::whole;
using testing::world;

constexpr std::int64_t keys = 37;
constexpr int width = 5;
constexpr int steps = 20;

/// The table after some steps of which one rank alone saw everything, in sample order.
Table table_of_one_rank() {
  MpiCommunicator alone = world().split(world().rank(), 0);
  Notes notes(alone, keys, width, 0.1F);
  for (int step = 1; step <= steps; ++step) update(notes.dictionary, step, draw(step, keys, width));
  return whole(notes.dictionary, alone);
}

/// Which rank contributes what.
using Distribution = int (*)(const Contribution&);
class NoteTable : public ::testing::TestWithParam<Distribution> {};

TEST_P(NoteTable, HasTheBitsOfOneRankHoweverContributionsAreDistributedAndOrdered) {
  Notes notes(world(), keys, width, 0.1F);
  std::mt19937 shuffler(static_cast<unsigned>(world().rank()));
  for (int step = 1; step <= steps; ++step) {
    Contributions mine = draw(step, keys, width);
    std::erase_if(mine, [&](const Contribution& each) { return GetParam()(each) != world().rank(); });
    std::ranges::shuffle(mine, shuffler);
    update(notes.dictionary, step, mine);
  }
  EXPECT_EQ(whole(notes.dictionary, world()), table_of_one_rank());
}

INSTANTIATE_TEST_SUITE_P(
    Distributions, NoteTable,
    ::testing::Values([](const Contribution& each) { return static_cast<int>(each.source.sample) % world().size(); },
                      [](const Contribution& each) { return (each.source.key + each.source.begin) % world().size(); },
                      [](const Contribution&) { return world().size() - 1; },
                      [](const Contribution& each) { return each.source.key % world().size(); }));

TEST(InitialNotes, AreNormalAndTheSameOnAnyNumberOfRanks) {
  Notes notes(world(), 2000, 16, 0.1F);
  const Table table = whole(notes.dictionary, world());
  MpiCommunicator alone = world().split(world().rank(), 0);
  Notes of_one_rank(alone, 2000, 16, 0.1F);
  EXPECT_EQ(table, whole(of_one_rank.dictionary, alone));

  double sum = 0;
  double squares = 0;
  double beyond_two = 0;
  for (const float value : table.rows) {
    const double normal = value / 0.02;
    sum += normal;
    squares += normal * normal;
    beyond_two += std::abs(normal) > 2 ? 1 : 0;
  }
  const auto count = static_cast<double>(table.rows.size());
  EXPECT_NEAR(sum / count, 0.0, 4 / std::sqrt(count));
  EXPECT_NEAR(squares / count, 1.0, 4 * std::sqrt(2 / count));
  EXPECT_NEAR(beyond_two / count, 0.0455, 4 * std::sqrt(0.0455 / count));
  EXPECT_EQ(table.updates, std::vector<std::int64_t>(2000, 0));
  EXPECT_EQ(table.last_steps, std::vector<std::int64_t>(2000, 0));
}

TEST(NoteUpdate, MovesTheRunningMeanByTheMeanOfAStep) {
  Notes notes(world(), 3, 2, 0.25F);
  const std::vector<float> initial = whole(notes.dictionary, world()).rows;
  Contributions mine;  // key 1 is seen by every rank, twice by rank 0; key 2 by nobody
  if (world().rank() == 0) mine = {{{5, 1, 3}, {8, -8}}, {{5, 1, 9}, {4, 0}}, {{6, 0, 1}, {1, 2}}};
  if (world().rank() != 0) mine = {{{10 + world().rank(), 1, 3}, {6, -4}}};
  update(notes.dictionary, 1, mine);
  const Table table = whole(notes.dictionary, world());
  EXPECT_NEAR(table.rows[0], 0.75F * initial[0] + 0.25F * 1, 1e-6);
  EXPECT_NEAR(table.rows[1], 0.75F * initial[1] + 0.25F * 2, 1e-6);
  EXPECT_NEAR(table.rows[2], 0.75F * initial[2] + 0.25F * 6, 1e-6);   // mean of 8, 4 and any number of 6
  EXPECT_NEAR(table.rows[3], 0.75F * initial[3] + 0.25F * -4, 1e-6);  // of -8, 0 and -4
  EXPECT_EQ(table.rows[4], initial[4]);
  EXPECT_EQ(table.rows[5], initial[5]);
  EXPECT_EQ(table.updates, (std::vector<std::int64_t>{1, 1, 0}));
}

TEST(NoteUpdate, CountsUpdatesAndKeepsTheStepOfTheLast) {
  Notes notes(world(), 4, 1, 0.5F);
  const auto see = [&](std::int64_t step, std::int32_t key) {
    update(notes.dictionary, step, world().rank() == 0 ? Contributions{{{step, key, 0}, {1}}} : Contributions());
  };
  see(1, 3);
  see(2, 0);
  see(5, 3);
  const Table table = whole(notes.dictionary, world());
  EXPECT_EQ(table.updates, (std::vector<std::int64_t>{1, 0, 0, 2}));
  EXPECT_EQ(table.last_steps, (std::vector<std::int64_t>{2, 0, 0, 5}));
}

TEST(NoteUpdate, OfRateOneTakesTheMean) {
  Notes notes(world(), 2, 1, 1.0F);
  Contributions mine{{{world().rank(), 1, 0}, {static_cast<float>(2 * world().rank())}}};
  update(notes.dictionary, 1, mine);
  EXPECT_EQ(whole(notes.dictionary, world()).rows[1], static_cast<float>(world().size() - 1));
}

TEST(NoteUpdate, SumsInTheOrderOfSamplesAndOccurrences) {
  // In this order 1 is added last, and remains; in any other it is lost beside 2^60.
  constexpr float huge = 0x1p60F;
  const Contributions ordered{{{1, 0, 9}, {huge}}, {{2, 0, 0}, {-huge}}, {{3, 0, 0}, {1}},
                              {{4, 1, 2}, {huge}}, {{4, 1, 3}, {-huge}}, {{4, 1, 5}, {1}}};
  Contributions shuffled = ordered;
  std::mt19937 shuffler(1);
  for (int round = 0; round < 10; ++round) {
    Notes notes(world(), 2, 1, 1.0F);
    std::ranges::shuffle(shuffled, shuffler);
    Contributions mine;
    for (std::size_t i = 0; i < shuffled.size(); ++i)
      if (static_cast<int>(i) % world().size() == world().rank()) mine.push_back(shuffled[i]);
    update(notes.dictionary, 1, mine);
    EXPECT_EQ(whole(notes.dictionary, world()).rows, std::vector<float>(2, static_cast<float>(1.0 / 3)));
  }
}

TEST(NoteUpdate, OfRateZeroLeavesTheTable) {
  Notes notes(world(), keys, width, 0.0F);
  const std::vector<float> initial = whole(notes.dictionary, world()).rows;
  update(notes.dictionary, 1, world().rank() == 0 ? draw(1, keys, width) : Contributions());
  EXPECT_EQ(whole(notes.dictionary, world()).rows, initial);
}

TEST(NoteUpdate, DropsAndCountsWhatIsNotFinite) {
  constexpr float infinity = std::numeric_limits<float>::infinity();
  Notes notes(world(), 2, 2, 1.0F);
  const std::vector<float> initial = whole(notes.dictionary, world()).rows;
  const std::int64_t me = world().rank();
  const Contributions mine{{{me, 0, 0}, {std::nanf(""), 1}}, {{me, 1, 0}, {3, 4}}, {{me, 1, 1}, {0, -infinity}}};
  update(notes.dictionary, 1, mine);
  const Table table = whole(notes.dictionary, world());
  EXPECT_EQ(table.rows, (std::vector<float>{initial[0], initial[1], 3, 4}));
  EXPECT_EQ(table.updates, (std::vector<std::int64_t>{0, 1}));
  EXPECT_EQ(notes.dictionary.take_statistics().dropped, 2);
}

TEST(NoteTableOfFewKeys, LeavesSomeRanksWithNone) {
  Notes notes(world(), 1, 3, 1.0F);
  update(notes.dictionary, 1, world().rank() == 0 ? Contributions{{{0, 0, 0}, {1, 2, 3}}} : Contributions());
  EXPECT_EQ(whole(notes.dictionary, world()).rows, (std::vector<float>{1, 2, 3}));
}

}  // namespace
}  // namespace tenfold

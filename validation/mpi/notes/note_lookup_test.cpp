// Looking notes up: what a step reads, and what it costs.

#include "note_test.hpp"
#include "parallel/planned_communicator.hpp"

namespace tenfold {
namespace {

using testing::contribute;
using testing::Contributions;
using testing::device;
using testing::draw;
using testing::Notes;
using testing::Table;
using testing::update;
using testing::whole;
using testing::world;

constexpr std::int64_t keys = 41;
constexpr int width = 6;

/// Distinct keys that a rank asks for in a step, in no order; none at all now and then.
std::vector<std::int32_t> keys_of(int step, int rank) {
  std::mt19937 generator(static_cast<unsigned>(1000 * step + rank));
  std::vector<std::int32_t> all(keys);
  for (std::size_t i = 0; i < all.size(); ++i) all[i] = static_cast<std::int32_t>(i);
  std::ranges::shuffle(all, generator);
  all.resize((step + rank) % 3 == 0 ? 0 : generator() % all.size());
  return all;
}

/// This rank's samples.
Contributions mine_of(std::int64_t step) {
  Contributions mine = draw(step, keys, width);
  std::erase_if(mine, [](const auto& each) { return each.source.sample % world().size() != world().rank(); });
  return mine;
}

void expect_rows(const Tensor& rows, const std::vector<std::int32_t>& asked, const Table& table) {
  const std::span values(rows.data<float>(), static_cast<std::size_t>(rows.elements()));
  for (std::size_t i = 0; i < asked.size(); ++i)
    for (std::size_t j = 0; j < width; ++j)
      ASSERT_EQ(values[i * width + j], table.rows[static_cast<std::size_t>(asked[i]) * width + j]) << asked[i];
}

TEST(NoteLookUp, ReadsTheTableOfTheStepsStartInTheOrderOfTheKeys) {
  Notes notes(world(), keys, width, 0.1F);
  NoteDictionary& dictionary = notes.dictionary;
  const std::unique_ptr<Queue> queue = device().make_queue();
  Table table = whole(dictionary, world());
  dictionary.request(keys_of(1, world().rank()));
  dictionary.contribute(0, {}, {});
  for (int step = 1; step <= 12; ++step) {
    const Tensor& rows = dictionary.wait(*queue);
    expect_rows(rows, keys_of(step, world().rank()), table);
    dictionary.request(keys_of(step + 1, world().rank()));
    if (step % 2 == 0) dictionary.poll();
    contribute(dictionary, step, mine_of(step));
    for (int i = 0; i < 100 * (world().rank() % 2); ++i) dictionary.poll();
    const Table after = whole(dictionary, world());  // in the midst of it, with the updates applied
    expect_rows(rows, keys_of(step, world().rank()), table);
    EXPECT_NE(after, table);
    table = after;
  }
}

TEST(NoteLookUp, IsIndependentOfOtherCollectivesAndTheirOrder) {
  Notes notes(world(), keys, width, 0.1F);
  const std::unique_ptr<Queue> queue = device().make_queue();
  std::vector<float> gradients(10'000, 1.0F);
  const Table table = whole(notes.dictionary, world());
  const std::vector<std::int32_t> asked = keys_of(1, world().rank());
  notes.dictionary.request(asked);
  const bool first = world().rank() % 2 == 0;
  if (first) notes.dictionary.contribute(0, {}, {});
  const Request request = world().start_all_reduce_sum(*queue, host_view(std::span(gradients), {10'000}));
  if (!first) notes.dictionary.contribute(0, {}, {});
  if (first) world().wait(request);  // while others wait for notes
  expect_rows(notes.dictionary.wait(*queue), asked, table);
  if (!first) world().wait(request);
  EXPECT_EQ(gradients, std::vector<float>(10'000, static_cast<float>(world().size())));
}

TEST(NoteLookUp, ForValidationLeavesAPendingRequestAlone) {
  Notes notes(world(), keys, width, 0.1F);
  NoteDictionary& dictionary = notes.dictionary;
  const std::unique_ptr<Queue> queue = device().make_queue();
  Arena arena(device());
  const Tensor rows = arena.allocate(DType::f32, {keys, width});
  const std::vector<std::int32_t> asked = keys_of(1, world().rank());
  const std::vector<std::int32_t> validated = keys_of(2, world().rank());
  dictionary.request(asked);
  dictionary.look_up(*queue, validated, rows);  // between request and contribution
  expect_rows(rows, validated, whole(dictionary, world()));
  contribute(dictionary, 1, mine_of(1));
  dictionary.look_up(*queue, validated, rows);  // between contribution and answer
  const Table after = whole(dictionary, world());
  expect_rows(rows, validated, after);
  expect_rows(dictionary.wait(*queue), asked, after);
  dictionary.look_up(*queue, asked, rows);  // with nothing pending
  expect_rows(rows, asked, after);
  EXPECT_EQ(dictionary.take_statistics().looked_up, static_cast<std::int64_t>(asked.size()));
}

TEST(NoteStatistics, SayWhatAStepCost) {
  Notes notes(world(), 8, 4, 0.5F);
  NoteDictionary& dictionary = notes.dictionary;
  const std::unique_ptr<Queue> queue = device().make_queue();
  // Step 3 updates key 5 from the last rank; step 4 nothing; before each, every rank asks for key 5 and a fresh one.
  const std::vector<std::int32_t> asked{5, 6};
  const int ranks = world().size();
  const bool last = world().rank() == ranks - 1;
  dictionary.request(asked);
  contribute(dictionary, 3, last ? Contributions{{{9, 5, 0}, {1, 2, 3, 4}}} : Contributions());
  dictionary.wait(*queue);
  NoteStatistics statistics = dictionary.take_statistics();
  EXPECT_EQ(statistics.looked_up, 2);
  EXPECT_EQ(world().all_reduce_sum(statistics.updated), 1);
  EXPECT_EQ(statistics.updated, world().rank() == 5 % ranks ? 1 : 0);
  EXPECT_EQ(statistics.dropped, 0);
  EXPECT_GE(statistics.seconds_waited, 0.0);
  // Step 4 reads key 5 a step after its update, and key 6, never updated, four after the start.
  EXPECT_EQ(world().all_reduce_sum(statistics.age), ranks * (1.0 + 4.0));
  // A count of eight bytes to each other rank, twice; keys of four bytes; a contribution of 16 bytes and its vector;
  // and the answers: each owner sends its row to all others.
  const int me = world().rank();
  std::int64_t expected = 2 * 8 * (ranks - 1);
  for (const std::int32_t key : asked) expected += key % ranks == me ? 16 * (ranks - 1) : 4;
  if (last && 5 % ranks != me) expected += 16 + 16;
  EXPECT_EQ(statistics.bytes, expected);

  dictionary.request(asked);
  dictionary.contribute(4, {}, {});
  dictionary.wait(*queue);
  statistics = dictionary.take_statistics();
  EXPECT_EQ(statistics.updated, 0);
  EXPECT_EQ(world().all_reduce_sum(statistics.age), ranks * (2.0 + 5.0));
}

TEST(NoteDictionary, AllocatesNothingFromTheSecondStepOn) {
  Notes notes(world(), keys, width, 0.1F);
  const std::unique_ptr<Queue> queue = device().make_queue();
  const std::vector<std::int32_t> asked{3, 1, 17, 40};
  std::vector<NoteSource> sources;
  for (const std::int32_t key : {8, 3, 9}) sources.push_back({world().rank(), key, 0});
  const std::vector<float> vectors(sources.size() * width, 1.0F);
  const auto step = [&](std::int64_t number) {
    notes.dictionary.request(asked);
    notes.dictionary.contribute(number, sources, vectors);
    notes.dictionary.wait(*queue);
  };
  step(1);
  const int before = testing::allocations();
  for (int number = 2; number < 6; ++number) step(number);
  EXPECT_EQ(testing::allocations() - before, 0);
}

TEST(NoteDictionary, TakesWhatWasPlannedForItsShare) {
  for (const int size : {1, world().size()}) {
    MpiCommunicator group = world().split(world().rank() / size, world().rank());
    const Notes notes(group, 1000, 24, 0.1F, 10);
    PlannedCommunicator planned(size);
    Arena host(device(), MemoryKind::pinned, Arena::Mode::plan),
        tensors(device(), MemoryKind::device, Arena::Mode::plan);
    const NoteDictionary plan(planned, 1000, 24, 0.1F, 10, host, tensors);
    if (group.rank() == 0) {
      EXPECT_EQ(host.bytes(), notes.host.bytes());
    }
    EXPECT_EQ(tensors.bytes(), notes.tensors.bytes());
    EXPECT_EQ(tensors.bytes(), 10 * 24 * sizeof(float));
  }
}

TEST(NoteDictionary, RefusesWhatItWasNotMadeFor) {
  MpiCommunicator alone = world().split(world().rank(), 0);
  Notes notes(alone, 4, 2, 0.1F, 2);
  NoteDictionary& dictionary = notes.dictionary;
  const std::unique_ptr<Queue> queue = device().make_queue();
  const std::vector<NoteSource> sources{{1, 0, 0}};
  const std::vector<float> vectors{1, 2};
  EXPECT_THROW(dictionary.wait(*queue), Error);
  EXPECT_THROW(dictionary.contribute(1, sources, vectors), Error);  // nothing was asked for
  EXPECT_THROW(dictionary.request(std::vector<std::int32_t>{0, 1, 2}), Error);
  EXPECT_THROW(dictionary.request(std::vector<std::int32_t>{4}), Error);
  EXPECT_THROW(dictionary.request(std::vector<std::int32_t>{-1}), Error);
  dictionary.request({});
  EXPECT_THROW(dictionary.request({}), Error);
  EXPECT_THROW(dictionary.wait(*queue), Error);  // nothing was contributed
  EXPECT_THROW(dictionary.contribute(1, sources, std::vector<float>{1}), Error);
  EXPECT_THROW(dictionary.contribute(1, std::vector<NoteSource>(2, sources[0]), std::vector<float>(4)), Error);
}

TEST(NoteDictionary, MayGoWhileRanksStillExchange) {
  {
    Notes notes(world(), keys, width, 0.1F);
    notes.dictionary.request(keys_of(1, world().rank()));
    contribute(notes.dictionary, 1, mine_of(1));
  }
  world().barrier();
  try {
    Notes notes(world(), keys, width, 0.1F);
    notes.dictionary.request(keys_of(1, world().rank()));
    if (world().rank() == 0) throw Error("one rank leaves early");
    contribute(notes.dictionary, 1, mine_of(1));
    throw Error("and the others later");
  } catch (const Error&) {
  }
  world().barrier();
}

}  // namespace
}  // namespace tenfold

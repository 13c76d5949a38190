// A step is the same however its sequences are dealt into micro-batches and over ranks, and whatever stands in rows
// that belong to no sequence.

#include <cmath>
#include <limits>
#include <numeric>

#include "kernels/elementwise.hpp"
#include "training_test.hpp"

namespace tenfold {
namespace {

using testing::Case;
using testing::read;
using testing::small;
using testing::Training;
using testing::VariedSequences;
using testing::vocabulary;
using testing::world;

constexpr int longest = 16;

/// What a step came to.
struct Outcome {
  std::vector<double> metrics;
  std::vector<float> gradients, notes;
  Counts counts;
};

/// All rows of the dictionary by key; the rank of key k is k modulo the ranks.
std::vector<float> notes_by_key(NoteDictionary& dictionary, MpiCommunicator& group) {
  const Received<float> all = group.all_gather_v(dictionary.share().rows);
  const auto width = static_cast<std::ptrdiff_t>(dictionary.width());
  std::vector<float> sorted(all.values.size());
  auto row = all.values.begin();
  for (std::ptrdiff_t rank = 0; rank < group.size(); ++rank)
    for (std::ptrdiff_t key = rank; key < dictionary.keys(); key += group.size(), row += width)
      std::copy_n(row, width, sorted.begin() + key * width);
  return sorted;
}

Outcome outcome(Training& training, const StepResult& result, MpiCommunicator& group) {
  Outcome seen{{result.metrics.begin(), result.metrics.end()},
               read(*training.queue, training.trainer.parameters().gradients()),
               {},
               result.counts};
  if (training.trainer.notes() != nullptr) seen.notes = notes_by_key(training.trainer.notes()->dictionary(), group);
  return seen;
}

/// The first step on the ranks of a group.
Outcome first_step(const Settings& settings, MpiCommunicator& group) {
  const VariedSequences sequences(vocabulary, longest);
  Training training(settings, group, sequences, VariedSequences::rare_keys);
  const StepResult result = training.step();
  EXPECT_FALSE(result.skipped);
  return outcome(training, result, group);
}

/// Euclidean norm of the difference over that of b.
double distance(const std::vector<float>& a, const std::vector<float>& b) {
  double errors = 0, squares = 0;
  for (std::size_t i = 0; i < b.size(); ++i) {
    errors += std::pow(double{a.at(i)} - double{b[i]}, 2);
    squares += std::pow(double{b[i]}, 2);
  }
  return std::sqrt(errors / squares);
}

void expect_same(const Outcome& seen, const Outcome& expected) {
  constexpr double rounding = 2e-6;
  ASSERT_EQ(seen.metrics.size(), expected.metrics.size());
  for (std::size_t i = 0; i < seen.metrics.size(); ++i)
    EXPECT_NEAR(seen.metrics[i], expected.metrics[i], rounding * std::abs(expected.metrics[i])) << "column " << i;
  EXPECT_EQ(seen.counts.tokens, expected.counts.tokens);
  EXPECT_EQ(seen.counts.selected, expected.counts.selected);
  EXPECT_LT(distance(seen.gradients, expected.gradients), rounding);
  if (!expected.notes.empty()) {
    EXPECT_LT(distance(seen.notes, expected.notes), rounding);
  }
}

class Dealing : public ::testing::TestWithParam<Case> {};

TEST_P(Dealing, ChangesNeitherLossesNorGradientsNorNotes) {
  const Outcome expected = first_step(small(GetParam(), world().size()), world());
  const int share = 24 / world().size();
  for (const int micro_batch : {1, 2, 5}) {
    SCOPED_TRACE(micro_batch);
    expect_same(first_step(small(GetParam(), world().size(), std::min(micro_batch, share)), world()), expected);
  }
}

TEST_P(Dealing, OverRanksChangesNothing) {
  MpiCommunicator alone = world().split(world().rank(), 0);
  expect_same(first_step(small(GetParam(), world().size(), 3), world()), first_step(small(GetParam(), 1, 7), alone));
}

/// The second step of a run in which nothing learns, after a first one of full sequences during which all weights were
/// `weight`.
Outcome second_step(Settings settings, std::optional<float> weight, bool garbage) {
  settings.optimizer.learning_rate = settings.notes.update_rate = 0;
  VariedSequences sequences(vocabulary, longest);
  sequences.all_full = true;
  Training training(settings, world(), sequences, VariedSequences::rare_keys);
  Trainer& trainer = training.trainer;
  sequences.all_full = false;
  trainer.take_batches(false);
  const std::vector<float> weights = read(*training.queue, trainer.parameters().masters());
  if (weight) kernels::fill(*training.queue, *weight, trainer.parameters().masters());
  trainer.parameters().refresh(*training.queue);
  EXPECT_EQ(trainer.train_step().skipped, weight.has_value());
  training.queue->copy_in(weights.data(), trainer.parameters().masters());
  trainer.parameters().refresh(*training.queue);

  trainer.take_batches(false);
  for (const HostBatch& batch : trainer.batches()) {
    if (!garbage) continue;
    for (const auto part : {BatchLayout::tokens, BatchLayout::original})
      std::ranges::fill(batch.ints(part).subspan(static_cast<std::size_t>(batch.filled)), 77);
    for (const auto part : {BatchLayout::selected_rows, BatchLayout::labels})
      std::ranges::fill(batch.ints(part).subspan(static_cast<std::size_t>(batch.count(BatchLayout::selected))), 5);
  }
  const StepResult result = trainer.train_step();
  EXPECT_FALSE(result.skipped);
  return outcome(training, result, world());
}

void expect_same_bits(const Outcome& seen, const Outcome& expected) {
  EXPECT_EQ(seen.metrics, expected.metrics);
  EXPECT_EQ(seen.gradients, expected.gradients);
  EXPECT_EQ(seen.notes, expected.notes);
}

// A step that was skipped leaves NaN in every activation and gradient of every row. The rows of the next one that no
// sequence fills are part of its products all the same, and 0 x NaN is NaN.
TEST_P(Dealing, NanThatAnEarlierStepLeftInUnfilledRowsChangesNothing) {
  const Settings settings = small(GetParam(), world().size(), 3);
  expect_same_bits(second_step(settings, std::numeric_limits<float>::quiet_NaN(), false),
                   second_step(settings, {}, false));
}

TEST_P(Dealing, TokensInUnfilledRowsWeighNothing) {
  const Settings settings = small(GetParam(), world().size(), 3);
  expect_same_bits(second_step(settings, {}, true), second_step(settings, {}, false));
}

INSTANTIATE_TEST_SUITE_P(Objectives, Dealing,
                         ::testing::Values(Case{ObjectiveKind::mlm, Precision::f32},
                                           Case{ObjectiveKind::mlm, Precision::f32, true},
                                           Case{ObjectiveKind::electra, Precision::f32, true},
                                           Case{ObjectiveKind::multiple_choice, Precision::f32},
                                           Case{ObjectiveKind::multiple_choice, Precision::f32, true}),
                         testing::name_of_case);

}  // namespace
}  // namespace tenfold

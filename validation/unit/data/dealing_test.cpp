// How the sequences of a step are dealt into micro-batches.

#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "config/configuration.hpp"
#include "data/batch_pipeline.hpp"
#include "kernel_environment.hpp"
#include "kernels/linear.hpp"
#include "varied_sequences.hpp"

namespace tenfold {
namespace {

constexpr Vocabulary vocabulary{200};
constexpr int global_batch = 48, steps = 4;

Settings with(int micro_batch, int ranks = 1, int length = 40) {
  Settings settings;
  settings.data.sequence_length = length;
  settings.data.global_batch = global_batch;
  settings.data.micro_batch = micro_batch;
  settings.notes.enabled = true;
  resolve(settings, ranks);
  return settings;
}

/// What a micro-batch says of one sample.
struct Dealt {
  std::vector<std::int32_t> original, masked, selected;
  bool operator==(const Dealt&) const = default;
};

/// Of one micro-batch, in order: its samples, after a look at its laws.
std::vector<std::pair<std::int64_t, Dealt>> dealt(const HostBatch& batch) {
  using Layout = BatchLayout;
  const auto original = batch.ints(Layout::original), tokens = batch.ints(Layout::tokens);
  const auto offsets = batch.ints(Layout::offsets), sequence = batch.ints(Layout::sequence);
  std::vector<std::pair<std::int64_t, Dealt>> samples(batch.sequences);
  for (std::size_t b = 0; b < batch.sequences; ++b) {
    const auto begin = static_cast<std::size_t>(offsets[b]), end = static_cast<std::size_t>(offsets[b + 1]);
    samples[b].first = batch.samples()[b];
    samples[b].second.original.assign(original.begin() + begin, original.begin() + end);
    samples[b].second.masked.assign(tokens.begin() + begin, tokens.begin() + end);
    for (std::size_t row = begin; row < end; ++row) EXPECT_EQ(sequence[row], static_cast<std::int32_t>(b));
  }
  EXPECT_EQ(offsets.front(), 0);
  EXPECT_EQ(offsets[batch.sequences], batch.filled);
  for (std::size_t b = batch.sequences; b < offsets.size(); ++b) EXPECT_EQ(offsets[b], batch.filled);
  for (auto row = static_cast<std::size_t>(batch.filled); row < sequence.size(); ++row) {
    EXPECT_EQ(sequence[row], -1);
    EXPECT_EQ(original[row], vocabulary.special.pad);
    EXPECT_EQ(tokens[row], vocabulary.special.pad);
  }
  for (std::size_t r = 0; r < static_cast<std::size_t>(batch.count(Layout::selected)); ++r) {
    const std::int32_t row = batch.ints(Layout::selected_rows)[r];
    const auto b = static_cast<std::size_t>(sequence[static_cast<std::size_t>(row)]);
    EXPECT_EQ(batch.ints(Layout::labels)[r], original[static_cast<std::size_t>(row)]);
    samples[b].second.selected.push_back(row - offsets[b]);
  }
  return samples;
}

class Dealing : public ::testing::TestWithParam<int> {};

TEST_P(Dealing, GivesWholeSequencesInTheOrderOfSamplesToFewMicroBatches) {
  const testing::VariedSequences sequences(vocabulary, 40);
  for (const int ranks : {1, 2, 3}) {
    const Settings settings = with(std::min(GetParam(), global_batch / ranks), ranks);
    const BatchBudget budget = batch_budget(settings);
    const int share = global_batch / ranks, micro_batch = *settings.data.micro_batch;
    for (int rank = 0; rank < ranks; ++rank) {
      Arena host(testing::device(), MemoryKind::pinned);
      BatchPipeline pipeline(sequences, settings, vocabulary, true, rank, ranks, host);
      pipeline.start(1);
      for (int step = 1; step <= steps; ++step) {
        pipeline.advance(step == steps);
        EXPECT_LE(pipeline.present().size(), static_cast<std::size_t>((share + micro_batch - 1) / micro_batch));
        std::int64_t next = (step - 1) * global_batch + rank * share;
        std::int64_t before = budget.rows, sequences_before = 0;  // filled by the micro-batch before, and its sequences
        for (const HostBatch& batch : pipeline.present()) {
          const auto samples = dealt(batch);
          ASSERT_FALSE(samples.empty());
          EXPECT_LE(batch.filled, budget.rows);
          const auto first = static_cast<std::int64_t>(samples.front().second.original.size());
          EXPECT_TRUE(before + first > budget.rows || sequences_before == budget.sequences)
              << "the micro-batch before had room for this one's first sequence";
          before = batch.filled;
          sequences_before = static_cast<std::int64_t>(samples.size());
          for (const auto& [index, sample] : samples) EXPECT_EQ(index, next++);
        }
        EXPECT_EQ(next, (step - 1) * global_batch + (rank + 1) * share) << "all of the rank's share";
      }
      EXPECT_TRUE(pipeline.next().empty()) << "nothing is built behind the last step";
    }
  }
}

TEST_P(Dealing, ChangesNeitherTokensNorMasksNorCounts) {
  const testing::VariedSequences sequences(vocabulary, 40);
  const auto of = [&](int micro_batch, int step, Counts& counts) {
    Arena host(testing::device(), MemoryKind::pinned);
    BatchPipeline pipeline(sequences, with(micro_batch), vocabulary, true, 0, 1, host);
    pipeline.start(step);
    pipeline.advance(true);
    counts = pipeline.counts();
    std::map<std::int64_t, Dealt> samples;
    for (const HostBatch& batch : pipeline.present())
      for (auto& [index, sample] : dealt(batch)) EXPECT_TRUE(samples.emplace(index, sample).second);
    return samples;
  };
  for (int step = 1; step <= steps; ++step) {
    Counts counts, reference;
    const auto samples = of(GetParam(), step, counts);
    EXPECT_EQ(samples, of(global_batch, step, reference));
    EXPECT_EQ(samples.size(), static_cast<std::size_t>(global_batch));
    EXPECT_EQ(counts.sequences, reference.sequences);
    EXPECT_EQ(counts.tokens, reference.tokens);
    EXPECT_EQ(counts.squares, reference.squares);
    EXPECT_EQ(counts.selected, reference.selected);
  }
}

INSTANTIATE_TEST_SUITE_P(MicroBatches, Dealing, ::testing::Values(1, 3, 7, 16, 48));

TEST(RowBudget, HoldsTheMicroBatchAtFullLengthInWholeBlocks) {
  for (const int length : {8, 40, 64, 100})
    for (const int micro_batch : {1, 3, 16}) {
      const BatchBudget budget = batch_budget(with(micro_batch, 1, length));
      EXPECT_GE(budget.rows, micro_batch * length);
      EXPECT_LT(budget.rows, micro_batch * length + kernels::row_block);
      EXPECT_EQ(budget.rows % kernels::row_block, 0);
      EXPECT_EQ(budget.selected % kernels::row_block, 0);
      EXPECT_GE(budget.sequences, micro_batch);
    }
}

TEST(RowBudget, IsSharedByShortSequences) {
  testing::VariedSequences sequences(vocabulary, 40);
  const Settings settings = with(4);
  std::vector<Sample> samples;
  for (std::int64_t i = 0; i < global_batch; ++i) samples.push_back({i, i, 0});
  const BatchBudget budget = batch_budget(settings);
  const BatchBuilder builder(sequences, settings, vocabulary, budget, 1, false);
  const auto full = static_cast<std::size_t>(budget.rows / 40);
  EXPECT_GT(builder.fitting(samples), full);
  sequences.all_full = true;
  EXPECT_EQ(builder.fitting(samples), full);
}

}  // namespace
}  // namespace tenfold

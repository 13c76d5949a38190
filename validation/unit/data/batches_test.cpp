// What a micro-batch holds of rare words.

#include "data/batches.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "kernel_environment.hpp"

namespace tenfold {
namespace {

constexpr std::int64_t longest = 48;
constexpr int window = 3;
constexpr Vocabulary vocabulary{1000};

/// Sequences of ordinary tokens, each one shorter than the one before, with rare words of two and three tokens; one
/// has none.
class FewSequences : public Sequences {
 public:
  std::int64_t count() const override { return 8; }
  std::int64_t length(std::int64_t index) const override { return longest - index; }
  void read(std::int64_t /*index*/, std::span<std::int32_t> tokens) const override {
    std::ranges::fill(tokens, 500);
    tokens.front() = vocabulary.special.cls;
    tokens.back() = vocabulary.special.separator;
  }
  void rare_words(std::int64_t index, std::vector<RareOccurrence>& words) const override {
    words = {
        {7, 1, 3}, {static_cast<std::int32_t>(index), 10, 13}, {7, 20, 22}, {9, length(index) - 3, length(index) - 1}};
    if (index == 3) words.clear();
  }
};

/// A micro-batch of all of them, with room for one more.
struct Built {
  explicit Built(bool update_selected) {
    Settings settings;
    settings.objective.leave_unmasked = settings.objective.replace_random = 0;
    settings.notes.window = window;
    settings.notes.update_selected = update_selected;
    const FewSequences sequences;
    BatchBuilder builder(sequences, settings, vocabulary, budget, 1, true);
    for (std::int64_t i = 0; i < sequences.count(); ++i) samples.push_back({100 + i, i, 2});
    builder.build(samples, batch);
  }
  /// The valid ones of a part.
  std::vector<std::int32_t> ints(BatchLayout::Part part, BatchLayout::Count count) const {
    const auto values = batch.ints(part).first(static_cast<std::size_t>(batch.count(count)));
    return {values.begin(), values.end()};
  }

  static constexpr BatchBudget budget{{9 * longest, 9, longest}, 9 * longest};
  Arena host{testing::device(), MemoryKind::pinned};
  HostBatch batch{budget, true, host};
  std::vector<Sample> samples;
};

struct Expected {
  std::vector<std::int32_t> begin, end, keys, window_begin, window_end;
  std::vector<NoteSource> sources;
  std::vector<Neighbourhood> neighbourhoods;
};

/// As the paper says it, a word and a selected token at a time.
Expected expected_of(const Built& built, bool update_selected) {
  const FewSequences sequences;
  const std::vector<std::int32_t> rows = built.ints(BatchLayout::selected_rows, BatchLayout::selected);
  Expected expected;
  expected.neighbourhoods.assign(rows.size(), Neighbourhood::no_rare_word);
  std::int32_t start = 0;
  for (std::size_t b = 0; b < built.samples.size(); ++b) {
    const auto end_of_sequence = start + static_cast<std::int32_t>(sequences.length(static_cast<std::int64_t>(b)));
    std::vector<RareOccurrence> words;
    sequences.rare_words(static_cast<std::int64_t>(b), words);
    for (const RareOccurrence& word : words) {
      const auto begin = start + static_cast<std::int32_t>(word.begin);
      const auto end = start + static_cast<std::int32_t>(word.end);
      const auto first = std::max(begin - window, start), last = std::min(end + window, end_of_sequence);
      const bool hidden = std::ranges::any_of(rows, [&](std::int32_t row) { return row >= begin && row < end; });
      for (std::size_t i = 0; i < rows.size(); ++i) {
        Neighbourhood here = Neighbourhood::no_rare_word;
        if (rows[i] >= start && rows[i] < end_of_sequence) here = Neighbourhood::sequence_with_rare_word;
        if (rows[i] >= first && rows[i] < last) here = Neighbourhood::within_window;
        if (rows[i] >= begin && rows[i] < end) here = Neighbourhood::of_rare_word;
        expected.neighbourhoods[i] = std::max(expected.neighbourhoods[i], here);
      }
      if (!hidden) {
        expected.begin.push_back(begin);
        expected.end.push_back(end);
        expected.keys.push_back(word.key);
      }
      if (hidden && !update_selected) continue;
      expected.window_begin.push_back(first);
      expected.window_end.push_back(last);
      expected.sources.push_back({built.samples[b].index, word.key, static_cast<std::int32_t>(word.begin)});
    }
    start = end_of_sequence;
  }
  return expected;
}

TEST(RareWordsOfABatch, GetNotesWithoutASelectedTokenAndMakeThemFromTheirWindows) {
  for (const bool update_selected : {false, true}) {
    const Built built(update_selected);
    const Expected expected = expected_of(built, update_selected);
    EXPECT_EQ(built.ints(BatchLayout::note_begin, BatchLayout::with_note), expected.begin);
    EXPECT_EQ(built.ints(BatchLayout::note_end, BatchLayout::with_note), expected.end);
    EXPECT_EQ(built.batch.keys, expected.keys);
    EXPECT_EQ(built.ints(BatchLayout::window_begin, BatchLayout::windows), expected.window_begin);
    EXPECT_EQ(built.ints(BatchLayout::window_end, BatchLayout::windows), expected.window_end);
    const std::vector<NoteSource>& sources = built.batch.sources;
    ASSERT_EQ(sources.size(), expected.sources.size());
    for (std::size_t i = 0; i < sources.size(); ++i) {
      EXPECT_EQ(sources[i].sample, expected.sources[i].sample);
      EXPECT_EQ(sources[i].key, expected.sources[i].key);
      EXPECT_EQ(sources[i].begin, expected.sources[i].begin);
    }
    EXPECT_LT(expected.begin.size(), 28U) << "some words have a selected token";
    EXPECT_EQ(expected.window_begin.size(), update_selected ? 28U : expected.begin.size());
  }
}

TEST(RareWordsOfABatch, TellWhereSelectedTokensStand) {
  const Built built(false);
  const Expected expected = expected_of(built, false);
  const auto seen =
      std::span(built.batch.neighbourhoods).first(static_cast<std::size_t>(built.batch.count(BatchLayout::selected)));
  EXPECT_TRUE(std::ranges::equal(seen, expected.neighbourhoods));
  EXPECT_EQ(std::set(seen.begin(), seen.end()).size(), 4U) << "all kinds of places";
}

}  // namespace
}  // namespace tenfold

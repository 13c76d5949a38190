#include "data/batches.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

namespace tenfold {
namespace {

constexpr std::int64_t length = 48;
constexpr int window = 3, vocabulary = 1000;

/// Sequences of ordinary tokens, the last ones shorter, with rare words of two and three tokens; one has none.
class FewSequences : public Sequences {
 public:
  std::int64_t count() const override { return 8; }
  std::int64_t read(std::int64_t index, std::span<std::int32_t> tokens) const override {
    const std::int64_t real = length - index;
    std::fill_n(tokens.begin(), real, 500);
    tokens[0] = class_token;
    tokens[static_cast<std::size_t>(real - 1)] = separator_token;
    return real;
  }
  void rare_words(std::int64_t index, std::vector<RareOccurrence>& words) const override {
    words = {{7, 1, 3},
             {static_cast<std::int32_t>(index), 10, 13},
             {7, 20, 22},
             {9, length - index - 3, length - index - 1}};
    if (index == 3) words.clear();
  }
};

struct Built {
  HostBatch batch;
  std::vector<Sample> samples;
};

Built build(bool update_selected) {
  Settings settings;
  settings.objective.leave_unmasked = settings.objective.replace_random = 0;
  settings.notes.window = window;
  settings.notes.update_selected = update_selected;
  static const FewSequences sequences;
  const BatchShape shape{9, length, 9 * length};
  BatchBuilder builder(sequences, settings, vocabulary, shape, 1, true);
  Built built{HostBatch(shape), {}};
  for (std::int64_t i = 0; i < sequences.count(); ++i) built.samples.push_back({100 + i, i, 2});
  builder.build(built.samples, built.batch);
  return built;
}

struct Expected {
  std::vector<std::int32_t> begin, end, keys, window_begin, window_end;
  std::vector<NoteSource> sources;
  std::vector<Neighbourhood> neighbourhoods;
};

/// As METHODS say it, a word and a selected token at a time.
Expected expected_of(const Built& built, bool update_selected) {
  const FewSequences sequences;
  const HostBatch& batch = built.batch;
  const auto rows = std::span(batch.selected_rows).first(static_cast<std::size_t>(batch.selected));
  Expected expected;
  expected.neighbourhoods.assign(rows.size(), Neighbourhood::no_rare_word);
  for (std::size_t b = 0; b < built.samples.size(); ++b) {
    const auto start = static_cast<std::int32_t>(b) * static_cast<std::int32_t>(length);
    std::vector<RareOccurrence> words;
    sequences.rare_words(static_cast<std::int64_t>(b), words);
    for (const RareOccurrence& word : words) {
      const auto begin = start + static_cast<std::int32_t>(word.begin),
                 end = start + static_cast<std::int32_t>(word.end);
      const auto first = std::max(begin - window, start), last = std::min(end + window, start + batch.lengths[b]);
      const bool hidden = std::ranges::any_of(rows, [&](std::int32_t row) { return row >= begin && row < end; });
      for (std::size_t i = 0; i < rows.size(); ++i) {
        Neighbourhood here = Neighbourhood::no_rare_word;
        if (rows[i] >= start && rows[i] < start + length) here = Neighbourhood::sequence_with_rare_word;
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
  }
  return expected;
}

TEST(BatchBuilder, GivesNotesToWordsWithoutASelectedTokenAndMakesThemFromTheirWindows) {
  for (const bool update_selected : {false, true}) {
    const Built built = build(update_selected);
    const Expected expected = expected_of(built, update_selected);
    const HostNotes& notes = built.batch.notes;
    EXPECT_EQ(notes.begin, expected.begin);
    EXPECT_EQ(notes.end, expected.end);
    EXPECT_EQ(notes.keys, expected.keys);
    EXPECT_EQ(notes.window_begin, expected.window_begin);
    EXPECT_EQ(notes.window_end, expected.window_end);
    ASSERT_EQ(notes.sources.size(), expected.sources.size());
    for (std::size_t i = 0; i < notes.sources.size(); ++i) {
      EXPECT_EQ(notes.sources[i].sample, expected.sources[i].sample);
      EXPECT_EQ(notes.sources[i].key, expected.sources[i].key);
      EXPECT_EQ(notes.sources[i].begin, expected.sources[i].begin);
    }
    EXPECT_LT(notes.begin.size(), 28U) << "some words have a selected token";
    EXPECT_EQ(notes.window_begin.size(), update_selected ? 28U : notes.begin.size());
  }
}

TEST(BatchBuilder, TellsWhereSelectedTokensStand) {
  const Built built = build(false);
  const Expected expected = expected_of(built, false);
  const auto seen = std::span(built.batch.neighbourhoods).first(static_cast<std::size_t>(built.batch.selected));
  EXPECT_TRUE(std::ranges::equal(seen, expected.neighbourhoods));
  EXPECT_EQ(std::set(seen.begin(), seen.end()).size(), 4U) << "all kinds of places";
}

TEST(BatchBuilder, LeavesMissingSamplesEmpty) {
  const HostBatch batch = build(false).batch;
  EXPECT_EQ(batch.lengths.back(), 0);
  EXPECT_TRUE(
      std::ranges::all_of(std::span(batch.tokens).last(length), [](std::int32_t token) { return token == pad_token; }));
  EXPECT_LT(batch.selected_rows[static_cast<std::size_t>(batch.selected - 1)], 8 * length);
}

}  // namespace
}  // namespace tenfold

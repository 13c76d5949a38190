#pragma once
// Which words are rare: a band of counts, by coverage (Wu et al. 2020, arXiv 2008.01466, take words that occur
// 100 to 500 times in 3.4 G words; what carries over to other sizes is their share of the running words).

#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "io/corpus.hpp"
#include "parallel/communicator.hpp"
#include "preparation/word_table.hpp"

namespace tenfold {

/// Rare are the words that occur minimum to maximum times in the training split and are split by the tokenizer.
struct RareBand {
  std::int64_t minimum;
  std::int64_t maximum;
  bool operator==(const RareBand&) const = default;
};

/// By how often words occur: occurrences of all of them that two or more pieces make up.
using SplitOccurrences = std::map<std::int64_t, std::int64_t>;

struct RareRule {
  double coverage;  ///< share of the running words that rare occurrences should make up; 0: no rare words
  std::optional<std::int64_t> minimum;
  std::optional<std::int64_t> maximum;
};

/// The band of a rule. Bounds that are given stand. Otherwise the band
/// begins at 20 occurrences and is as wide as the coverage asks, up to a ten thousandth of the running words or 5 times
/// the minimum (the ratio of the paper's 100 to 500); if that falls short, the minimum goes down, to 2 at least.
RareBand choose_band(const SplitOccurrences& all, std::int64_t running_words, const RareRule& rule);

/// Occurrences that the band covers.
std::int64_t covered(const SplitOccurrences& all, const RareBand& band);

/// Those of all ranks' words. Collective; the same on all ranks.
SplitOccurrences split_occurrences(const std::vector<CountedWord>& mine, Communicator& world);

/// The rare words of all ranks, the most frequent first (ties by text); a word's key is its index. Collective.
std::vector<RareWord> rare_words_of(const std::vector<CountedWord>& mine, const RareBand& band, Communicator& world);

}  // namespace tenfold

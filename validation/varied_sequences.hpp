#pragma once
// Sequences of many lengths: ordinary tokens between [CLS] and [SEP], with rare words of two tokens among them.

#include "base/random.hpp"
#include "data/masking.hpp"
#include "data/sequences.hpp"

namespace tenfold::testing {

class VariedSequences : public Sequences {
 public:
  static constexpr std::int64_t shortest = 3, rare_keys = 40, rare_spacing = 6;
  VariedSequences(const Vocabulary& vocabulary, std::int64_t longest) : vocabulary_(vocabulary), longest_(longest) {}

  std::int64_t count() const override { return 1000; }
  std::int64_t length(std::int64_t index) const override {
    if (all_full) return longest_;
    return shortest + random(index, 0).below(static_cast<std::uint32_t>(longest_ - shortest + 1));
  }
  void read(std::int64_t index, std::span<std::int32_t> tokens) const override {
    RandomSequence draws = random(index, 1);
    for (std::int32_t& token : tokens) token = random_token(vocabulary_, draws);
    tokens.front() = vocabulary_.special.cls;
    tokens.back() = vocabulary_.special.separator;
  }
  void rare_words(std::int64_t index, std::vector<RareOccurrence>& words) const override {
    RandomSequence draws = random(index, 2);
    words.clear();
    for (std::int64_t begin = 1 + draws.below(rare_spacing); begin + 2 <= length(index); begin += rare_spacing)
      words.push_back({static_cast<std::int32_t>(draws.below(rare_keys)), begin, begin + 2});
  }

  bool all_full = false;  ///< from now on every sequence has the longest length

 private:
  static RandomSequence random(std::int64_t index, std::uint32_t what) {
    return {stream_key(1, "varied sequences"), what, static_cast<std::uint64_t>(index)};
  }
  Vocabulary vocabulary_;
  std::int64_t longest_;
};

}  // namespace tenfold::testing

#include "data/sequences.hpp"

#include "data/masking.hpp"

namespace tenfold {

CorpusSequences::CorpusSequences(const Corpus& corpus, Split split, PackedIndex begins)
    : corpus_(corpus), begins_(std::move(begins)), split_(split) {}

std::int64_t CorpusSequences::length(std::int64_t index) const {
  return begins_[static_cast<std::size_t>(index) + 1] - begins_[static_cast<std::size_t>(index)] + 1;
}

void CorpusSequences::read(std::int64_t index, std::span<std::int32_t> tokens) const {
  tokens[0] = corpus_.vocabulary().special.cls;
  corpus_.read_tokens(split_, begins_[static_cast<std::size_t>(index)], tokens.subspan(1));
}

void CorpusSequences::rare_words(std::int64_t index, std::vector<RareOccurrence>& words) const {
  const std::int64_t begin = begins_[static_cast<std::size_t>(index)];
  corpus_.rare_occurrences(split_, begin, begins_[static_cast<std::size_t>(index) + 1], words);
  for (RareOccurrence& word : words) {
    word.begin += 1 - begin;
    word.end += 1 - begin;
  }
}

void RandomSequences::rare_words(std::int64_t index, std::vector<RareOccurrence>& words) const {
  RandomSequence random(stream_key(seed_, "random.rare_words"), 0, static_cast<std::uint64_t>(index));
  words.clear();
  for (std::int64_t begin = 1 + random.below(rare_spacing); begin + 2 <= length_; begin += rare_spacing)
    words.push_back({static_cast<std::int32_t>(random.below(rare_keys)), begin, begin + 2});
}

void RandomSequences::read(std::int64_t index, std::span<std::int32_t> tokens) const {
  RandomSequence random(stream_key(seed_, "random.sequences"), 0, static_cast<std::uint64_t>(index));
  for (std::int32_t& token : tokens) token = random_token(vocabulary_, random);
  tokens[0] = vocabulary_.special.cls;
}

}  // namespace tenfold

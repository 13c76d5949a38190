#pragma once
// How often each character stands in a text, and which of them deserve a piece.

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "config/settings.hpp"
#include "io/corpus.hpp"
#include "io/tokenizer.hpp"
#include "parallel/communicator.hpp"

namespace tenfold {

/// Characters with their counts; no white space.
using CharacterCounts = std::map<char32_t, std::int64_t>;

/// The sum of all ranks' counts. Collective; the same on all ranks.
CharacterCounts sum_of_ranks(const CharacterCounts& mine, Communicator& world);

/// The most frequent first; ties by code point.
std::vector<CountedCharacter> by_frequency(const CharacterCounts& counts);

/// Counts characters as a tokenizer that is yet to be trained will see them.
class CharacterCounter {
 public:
  explicit CharacterCounter(const TokenizerSettings& settings);

  /// Cleaned text.
  void add(std::string_view text);
  CharacterCounts counts() const;

 private:
  bool lowercase_;
  Tokenizer normaliser_;
  std::array<std::int64_t, 128> ascii_{};
  std::unordered_map<char32_t, std::int64_t> others_;
  std::string normalised_;
  std::vector<Tokenizer::Piece> pieces_;
};

/// The characters that get a piece of their own: all printable ASCII (without capitals if case is folded) and, the most
/// frequent first, as many others as make up settings.character_coverage of the others' occurrences.
std::vector<char32_t> alphabet_of(const CharacterCounts& counts, const TokenizerSettings& settings);

}  // namespace tenfold

#pragma once
// Counts of all distinct words, each held by one rank: memory grows with the distinct words and shrinks with the ranks.

#include <cstdint>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "parallel/communicator.hpp"

namespace tenfold {

struct WordCount {
  std::int64_t occurrences = 0;
  std::int64_t pieces_apart = 0;  ///< of these, the ones that two or more whole pieces make up
  bool operator==(const WordCount&) const = default;
};

struct CountedWord {
  std::string word;
  WordCount count;
};

class WordTable {
 public:
  explicit WordTable(Communicator& world) : world_(&world) {}

  /// Adds counts[i] to words[i] on the ranks that hold them. Collective.
  void add(std::span<const std::string> words, std::span<const WordCount> counts);

  /// This rank's words, sorted so that all ranks' lists one after another are the same on any number of ranks (by a
  /// hash of the word). The table is empty afterwards.
  std::vector<CountedWord> take_sorted();

 private:
  Communicator* world_;
  std::unordered_map<std::string, WordCount> counts_;
};

}  // namespace tenfold

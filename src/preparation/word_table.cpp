#include "preparation/word_table.hpp"

#include <algorithm>
#include <cstring>
#include <string_view>

#include "base/random.hpp"

namespace tenfold {

namespace {

std::uint64_t hash_of_word(std::string_view word) {
  return stream_key(0, word);
}

/// Each rank holds an equal range of the hashes.
std::size_t owner_of(std::string_view word, int ranks) {
  return ((hash_of_word(word) >> 32U) * static_cast<std::uint64_t>(ranks)) >> 32U;
}

/// What stands before a word's bytes in a message.
struct Header {
  WordCount count;
  std::int64_t bytes;
};

void pack(std::string_view word, const WordCount& count, std::vector<char>& message) {
  const Header header{.count = count, .bytes = static_cast<std::int64_t>(word.size())};
  const auto* bytes = reinterpret_cast<const char*>(&header);
  message.insert(message.end(), bytes, bytes + sizeof header);
  message.insert(message.end(), word.begin(), word.end());
}

}  // namespace

void WordTable::add(std::span<const std::string> words, std::span<const WordCount> counts) {
  std::vector<std::vector<char>> messages(static_cast<std::size_t>(world_->size()));
  for (std::size_t i = 0; i < counts.size(); ++i) {
    if (counts[i] != WordCount{}) pack(words[i], counts[i], messages[owner_of(words[i], world_->size())]);
  }
  std::vector<char> send;
  std::vector<std::int64_t> send_counts;
  for (const auto& message : messages) {
    send.insert(send.end(), message.begin(), message.end());
    send_counts.push_back(static_cast<std::int64_t>(message.size()));
  }
  const std::vector<char> received = world_->all_to_all_v(std::span<const char>(send), send_counts).values;
  for (std::size_t at = 0; at < received.size();) {
    Header header;
    std::memcpy(&header, received.data() + at, sizeof header);
    at += sizeof header;
    WordCount& count = counts_[std::string(received.data() + at, static_cast<std::size_t>(header.bytes))];
    count.occurrences += header.count.occurrences;
    count.pieces_apart += header.count.pieces_apart;
    at += static_cast<std::size_t>(header.bytes);
  }
}

std::vector<CountedWord> WordTable::take_sorted() {
  std::vector<CountedWord> words;
  words.reserve(counts_.size());
  for (auto& [word, count] : counts_) words.push_back({.word = word, .count = count});
  counts_.clear();
  std::ranges::sort(words, [](const CountedWord& a, const CountedWord& b) {
    return std::pair(hash_of_word(a.word), std::string_view(a.word)) <
           std::pair(hash_of_word(b.word), std::string_view(b.word));
  });
  return words;
}

}  // namespace tenfold

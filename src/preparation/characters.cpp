#include "preparation/characters.hpp"

#include <algorithm>
#include <array>
#include <cctype>

#include "preparation/tokenizer_training.hpp"
#include "preparation/utf8.hpp"

namespace tenfold {

namespace {

constexpr std::size_t first_printable = 0x21;
constexpr std::size_t last_printable = 0x7E;

}  // namespace

CharacterCounts sum_of_ranks(const CharacterCounts& mine, Communicator& world) {
  std::vector<std::array<std::int64_t, 2>> entries;
  for (const auto& [character, count] : mine) entries.push_back({static_cast<std::int64_t>(character), count});
  CharacterCounts all;
  for (const auto& [character, count] :
       world.all_gather_v(std::span<const std::array<std::int64_t, 2>>(entries)).values)
    all[static_cast<char32_t>(character)] += count;
  return all;
}

std::vector<CountedCharacter> by_frequency(const CharacterCounts& counts) {
  std::vector<CountedCharacter> sorted;
  for (const auto& [character, count] : counts) sorted.push_back({.character = character, .count = count});
  std::ranges::stable_sort(sorted, std::greater<>(), &CountedCharacter::count);
  return sorted;
}

CharacterCounter::CharacterCounter(const TokenizerSettings& settings)
    : lowercase_(settings.lowercase), normaliser_(train_normaliser(settings)) {}

void CharacterCounter::add(std::string_view text) {
  std::size_t begin = 0;
  while ((begin = text.find_first_not_of(" \n", begin)) != std::string_view::npos) {
    const std::string_view word = text.substr(begin, text.find_first_of(" \n", begin) - begin);
    begin += word.size();
    if (is_ascii(word)) {  // which normalisation leaves as it is
      for (const char byte : word) ++ascii_[static_cast<unsigned char>(byte)];
      continue;
    }
    normaliser_.encode_pieces(word, normalised_, pieces_);
    for_each_character(normalised_, [&](char32_t character) {
      if (character != U' ') ++others_[character];
    });
  }
}

CharacterCounts CharacterCounter::counts() const {
  CharacterCounts counts(others_.begin(), others_.end());
  for (std::size_t i = first_printable; i <= last_printable; ++i) {
    const auto character = static_cast<char32_t>(lowercase_ ? std::tolower(static_cast<int>(i)) : static_cast<int>(i));
    if (ascii_[i] > 0) counts[character] += ascii_[i];
  }
  return counts;
}

std::vector<char32_t> alphabet_of(const CharacterCounts& counts, const TokenizerSettings& settings) {
  constexpr char32_t reserved = 0x2585;  // what SentencePiece's trainer writes for a character without a piece
  std::vector<char32_t> alphabet;
  for (std::size_t i = first_printable; i <= last_printable; ++i)
    if (!settings.lowercase || std::isupper(static_cast<int>(i)) == 0) alphabet.push_back(static_cast<char32_t>(i));
  CharacterCounts others = counts;
  for (const char32_t character : alphabet) others.erase(character);
  std::int64_t left = 0;
  for (const auto& [character, count] : others) left += count;
  std::int64_t covered = 0;
  for (const auto& [character, count] : by_frequency(others)) {
    if (static_cast<double>(covered) >= settings.character_coverage * static_cast<double>(left)) break;
    covered += count;
    if (character != reserved) alphabet.push_back(character);
  }
  return alphabet;
}

}  // namespace tenfold

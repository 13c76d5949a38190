#include "preparation/rare_words.hpp"

#include <algorithm>
#include <map>
#include <sstream>

namespace tenfold {

namespace {

constexpr std::int64_t usual_minimum = 10;  // about 1 / update rate: fewer do not warm a note up
constexpr std::int64_t least_minimum = 2;
constexpr std::int64_t widest_ratio = 5;          // the paper's 100..500
constexpr std::int64_t rarest_frequent = 10'000;  // one word in so many is not rare, however it is split ("don't")

}  // namespace

std::int64_t covered(const std::vector<CountClass>& classes, const RareBand& band) {
  std::int64_t occurrences = 0;
  for (const CountClass& one : classes) {
    if (one.occurrences >= band.minimum && one.occurrences <= band.maximum) occurrences += one.pieces_apart;
  }
  return occurrences;
}

RareBand choose_band(const std::vector<CountClass>& classes, std::int64_t running_words, const RareRule& rule) {
  if (rule.minimum && rule.maximum) return {*rule.minimum, *rule.maximum};
  if (rule.coverage <= 0 || classes.empty()) return {0, 0};
  const auto enough = [&](const RareBand& band) {
    return static_cast<double>(covered(classes, band)) >= rule.coverage * static_cast<double>(running_words);
  };
  if (rule.minimum) {
    const std::int64_t most = classes.back().occurrences;
    RareBand band{*rule.minimum, *rule.minimum};
    while (!enough(band) && band.maximum < most) ++band.maximum;
    return band;
  }
  RareBand band{rule.maximum.value_or(usual_minimum), rule.maximum.value_or(usual_minimum * widest_ratio)};
  if (!rule.maximum && enough(band)) {
    for (RareBand next = band; enough(next); next = {next.minimum + 1, (next.minimum + 1) * widest_ratio}) band = next;
    return band;
  }
  while (!rule.maximum && !enough(band) && band.maximum < running_words / rarest_frequent) ++band.maximum;
  while (!enough(band) && band.minimum > least_minimum) --band.minimum;
  return band;
}

std::vector<CountClass> count_classes(const std::vector<CountedWord>& mine, Communicator& world) {
  std::map<std::int64_t, CountClass> classes;
  const auto add = [&](const CountClass& part) {
    CountClass& whole = classes[part.occurrences];
    whole.occurrences = part.occurrences;
    whole.words += part.words;
    whole.pieces_apart += part.pieces_apart;
  };
  for (const CountedWord& word : mine)
    add({.occurrences = word.count.occurrences,
         .words = word.count.pieces_apart > 0 ? 1 : 0,
         .pieces_apart = word.count.pieces_apart});
  std::vector<CountClass> own;
  for (const auto& [occurrences, one] : classes) own.push_back(one);
  classes.clear();
  for (const CountClass& part : world.all_gather_v(std::span<const CountClass>(own)).values) add(part);
  std::vector<CountClass> all;
  for (const auto& [occurrences, one] : classes) all.push_back(one);
  return all;
}

std::vector<RareWord> rare_words_of(const std::vector<CountedWord>& mine, const RareBand& band, Communicator& world) {
  std::ostringstream own;
  for (const auto& [word, count] : mine) {
    if (count.pieces_apart > 0 && count.occurrences >= band.minimum && count.occurrences <= band.maximum)
      own << count.occurrences << ' ' << word << '\n';
  }
  std::vector<RareWord> words;
  for (const std::string& list : world.all_gather(own.str())) {
    std::istringstream in(list);
    RareWord word;
    while (in >> word.count >> word.text) words.push_back(word);
  }
  std::ranges::sort(words, [](const RareWord& a, const RareWord& b) {
    return a.count != b.count ? a.count > b.count : a.text < b.text;
  });
  return words;
}

}  // namespace tenfold

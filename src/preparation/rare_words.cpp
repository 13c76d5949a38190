#include "preparation/rare_words.hpp"

#include <algorithm>
#include <map>
#include <sstream>

namespace tenfold {

namespace {

constexpr std::int64_t usual_minimum = 20;  // twice what warms a note up at an update rate of 0.1
constexpr std::int64_t least_minimum = 2;
constexpr std::int64_t widest_ratio = 5;          // the paper's 100..500
constexpr std::int64_t rarest_frequent = 10'000;  // one word in so many is not rare, however it is split ("don't")

/// Split occurrences of the words of one count; classes are in the order of their counts.
std::int64_t occurrences_of(const std::vector<CountClass>& classes, std::int64_t count) {
  const auto found = std::ranges::lower_bound(classes, count, {}, &CountClass::occurrences);
  return found != classes.end() && found->occurrences == count ? found->pieces_apart : 0;
}

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
  if (rule.coverage <= 0) return {0, 0};
  const std::int64_t start = rule.minimum ? *rule.minimum : rule.maximum.value_or(usual_minimum);
  RareBand band{start, rule.maximum.value_or(start)};
  std::int64_t have = covered(classes, band);
  const auto enough = [&] { return static_cast<double>(have) >= rule.coverage * static_cast<double>(running_words); };
  const std::int64_t most = std::max(running_words / rarest_frequent, start * widest_ratio);
  for (; !rule.maximum && !enough() && band.maximum < most; have += occurrences_of(classes, band.maximum))
    ++band.maximum;
  for (; !rule.minimum && !enough() && band.minimum > least_minimum; have += occurrences_of(classes, band.minimum))
    --band.minimum;
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
    while (in >> word.count && in.get() == ' ' && std::getline(in, word.text)) words.push_back(word);
  }
  std::ranges::sort(words, [](const RareWord& a, const RareWord& b) {
    return a.count != b.count ? a.count > b.count : a.text < b.text;
  });
  return words;
}

}  // namespace tenfold

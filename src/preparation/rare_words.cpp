#include "preparation/rare_words.hpp"

#include <algorithm>
#include <array>
#include <sstream>

namespace tenfold {

namespace {

constexpr std::int64_t usual_minimum = 20;  // twice what warms a note up at an update rate of 0.1
constexpr std::int64_t least_minimum = 2;
constexpr std::int64_t widest_ratio = 5;          // the paper's 100..500
constexpr std::int64_t rarest_frequent = 10'000;  // one word in so many is not rare, however it is split ("don't")

}  // namespace

std::int64_t covered(const SplitOccurrences& all, const RareBand& band) {
  std::int64_t sum = 0;
  for (const auto& [count, occurrences] : all)
    if (count >= band.minimum && count <= band.maximum) sum += occurrences;
  return sum;
}

RareBand choose_band(const SplitOccurrences& all, std::int64_t running_words, const RareRule& rule) {
  if (rule.minimum && rule.maximum) return {*rule.minimum, *rule.maximum};
  if (rule.coverage <= 0) return {0, 0};
  const std::int64_t start = rule.minimum ? *rule.minimum : rule.maximum.value_or(usual_minimum);
  RareBand band{start, rule.maximum.value_or(start)};
  std::int64_t have = covered(all, band);
  const auto at = [&](std::int64_t count) {
    const auto found = all.find(count);
    return found == all.end() ? 0 : found->second;
  };
  const auto enough = [&] { return static_cast<double>(have) >= rule.coverage * static_cast<double>(running_words); };
  const std::int64_t most = std::max(running_words / rarest_frequent, start * widest_ratio);
  for (; !rule.maximum && !enough() && band.maximum < most; have += at(band.maximum)) ++band.maximum;
  for (; !rule.minimum && !enough() && band.minimum > least_minimum; have += at(band.minimum)) --band.minimum;
  return band;
}

SplitOccurrences split_occurrences(const std::vector<CountedWord>& mine, Communicator& world) {
  SplitOccurrences own, all;
  for (const CountedWord& word : mine) own[word.count.occurrences] += word.count.pieces_apart;
  std::vector<std::array<std::int64_t, 2>> entries;
  for (const auto& [count, occurrences] : own) entries.push_back({count, occurrences});
  for (const auto& [count, occurrences] :
       world.all_gather_v(std::span<const std::array<std::int64_t, 2>>(entries)).values)
    all[count] += occurrences;
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

#include "data/masking.hpp"

#include <algorithm>

namespace tenfold {

std::int32_t random_token(const Vocabulary& vocabulary, RandomSequence& random) {
  const auto special = vocabulary.special.ascending();
  const std::int32_t ordinary = vocabulary.size - static_cast<std::int32_t>(special.size());
  auto token = static_cast<std::int32_t>(random.below(static_cast<std::uint32_t>(ordinary)));
  for (const std::int32_t id : special) token += token >= id ? 1 : 0;  // the ordinary ones, counted without these
  return token;
}

void mask_sequence(std::span<std::int32_t> tokens, const ObjectiveSettings& settings, const Vocabulary& vocabulary,
                   RandomSequence random, std::vector<std::int32_t>& selected) {
  const auto n = static_cast<std::uint32_t>(tokens.size());
  const std::uint32_t first = settings.kind == ObjectiveKind::mlm ? 0 : 1;  // behind [CLS]
  const std::uint32_t drawable = n - first;
  const auto wanted = static_cast<std::uint32_t>(settings.mask_rate * n + static_cast<double>(random.uniform()));
  // Floyd's sampling without replacement: every subset of so many positions is equally likely.
  selected.clear();
  for (std::uint32_t last = drawable - std::min(wanted, drawable); last < drawable; ++last) {
    const auto drawn = static_cast<std::int32_t>(first + random.below(last + 1));
    const bool taken = std::find(selected.begin(), selected.end(), drawn) != selected.end();
    selected.push_back(taken ? static_cast<std::int32_t>(first + last) : drawn);
  }
  std::sort(selected.begin(), selected.end());
  for (std::int32_t position : selected) {
    const double choice = random.uniform();
    if (choice < *settings.leave_unmasked) continue;
    if (choice < *settings.leave_unmasked + *settings.replace_random) {
      tokens[position] = random_token(vocabulary, random);
    } else {
      tokens[position] = vocabulary.special.mask;
    }
  }
}

}  // namespace tenfold

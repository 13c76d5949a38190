#include "data/masking.hpp"

#include <algorithm>
#include <cmath>

#include "io/tokenizer.hpp"

namespace tenfold {

std::int64_t selected_capacity(double mask_rate, std::int64_t length) {
  return std::min(length, static_cast<std::int64_t>(std::floor(mask_rate * static_cast<double>(length))) + 1);
}

std::int32_t random_token(int vocabulary, RandomSequence& random) {
  constexpr auto specials = static_cast<std::int32_t>(special_pieces.size());
  return specials + static_cast<std::int32_t>(random.below(static_cast<std::uint32_t>(vocabulary - specials)));
}

void mask_sequence(std::span<std::int32_t> tokens, const ObjectiveSettings& settings, int vocabulary,
                   RandomSequence random, std::vector<std::int32_t>& selected) {
  const auto n = static_cast<std::uint32_t>(tokens.size());
  const auto count = static_cast<std::uint32_t>(settings.mask_rate * n + static_cast<double>(random.uniform()));
  // Floyd's sampling without replacement: every subset of `count` positions is equally likely.
  selected.clear();
  for (std::uint32_t last = n - count; last < n; ++last) {
    const auto drawn = static_cast<std::int32_t>(random.below(last + 1));
    const bool taken = std::find(selected.begin(), selected.end(), drawn) != selected.end();
    selected.push_back(taken ? static_cast<std::int32_t>(last) : drawn);
  }
  std::sort(selected.begin(), selected.end());
  for (std::int32_t position : selected) {
    const double choice = random.uniform();
    if (choice < *settings.leave_unmasked) continue;
    if (choice < *settings.leave_unmasked + *settings.replace_random) {
      tokens[position] = random_token(vocabulary, random);
    } else {
      tokens[position] = mask_token;
    }
  }
}

}  // namespace tenfold

#pragma once
// Dynamic masking (Liu et al. 2019): of a sequence of n tokens, floor(rate * n + U[0, 1)) positions, [CLS] and [SEP]
// among them, are drawn without replacement. Of those a share is left as it is, a share becomes a random token, the
// rest [MASK].

#include <cstdint>
#include <span>
#include <vector>

#include "base/random.hpp"
#include "config/settings.hpp"

namespace tenfold {

/// A uniformly random token that is none of the special ones.
std::int32_t random_token(int vocabulary, RandomSequence& random);

/// Most positions that can be selected in a sequence of `length` tokens.
std::int64_t selected_capacity(double mask_rate, std::int64_t length);

/// Draws the selected positions of `tokens` (ascending, into `selected`) and replaces those tokens in place.
void mask_sequence(std::span<std::int32_t> tokens, const ObjectiveSettings& settings, int vocabulary,
                   RandomSequence random, std::vector<std::int32_t>& selected);

}  // namespace tenfold

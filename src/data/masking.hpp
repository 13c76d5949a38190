#pragma once
// Dynamic masking (Liu et al. 2019): of a sequence of n tokens, floor(rate * n + U[0, 1)) positions are drawn without
// replacement, [SEP] among them, and [CLS] under masked language modelling: draws of a generator or controller never
// give [CLS] back, so that a selected one would stand wrong in the main model's input. Of the selected a share is left
// as it is, a share becomes a random token, the rest [MASK].

#include <cstdint>
#include <span>
#include <vector>

#include "base/random.hpp"
#include "base/vocabulary.hpp"
#include "config/settings.hpp"

namespace tenfold {

/// A uniformly random token that is none of the special ones.
std::int32_t random_token(const Vocabulary& vocabulary, RandomSequence& random);

/// Draws the selected positions of `tokens` (ascending, into `selected`) and replaces those tokens in place.
void mask_sequence(std::span<std::int32_t> tokens, const ObjectiveSettings& settings, const Vocabulary& vocabulary,
                   RandomSequence random, std::vector<std::int32_t>& selected);

}  // namespace tenfold

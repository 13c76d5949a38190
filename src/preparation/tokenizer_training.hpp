#pragma once
// A SentencePiece BPE model from a sample of the text.

#include <string>
#include <string_view>

#include "config/settings.hpp"

namespace tenfold {

/// Trains a model (NFKC, lower-cased if asked; special tokens of base/special_tokens.hpp) on cleaned text and returns
/// its bytes, the same for the same text. Only what stands between spaces and how often matters; of long texts the
/// rarest of it is left out, which saves most of the time and changes few merges. InputError when the text does not
/// give so large a vocabulary, or has more different characters than it.
std::string train_tokenizer(std::string_view cleaned, const TokenizerSettings& settings);

}  // namespace tenfold

#pragma once
// A SentencePiece BPE model from a sample of the text.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "config/settings.hpp"
#include "io/tokenizer.hpp"

namespace tenfold {

struct TrainedTokenizer {
  std::string model;            ///< its bytes, the same for the same text
  std::int64_t long_words = 0;  ///< words left out of training, since SentencePiece's trainer cannot take them
};

/// Trains a model (NFKC, case folded if asked; special tokens of base/special_tokens.hpp; a piece for each character of
/// the alphabet, and of these alone) on cleaned text. All words of the text count. InputError, with the number that
/// would do, when the vocabulary is too small for the alphabet or larger than the text gives.
TrainedTokenizer train_tokenizer(std::string_view cleaned, const std::vector<char32_t>& alphabet,
                                 const TokenizerSettings& settings);

/// The smallest tokenizer that normalises text as the ones to be trained do.
Tokenizer train_normaliser(const TokenizerSettings& settings);

}  // namespace tenfold

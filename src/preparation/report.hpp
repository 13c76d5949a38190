#pragma once
// What preparation says of its work: to people, and to the corpus.

#include <cstddef>
#include <cstdint>
#include <string>

#include "config/settings.hpp"
#include "io/tokenizer.hpp"
#include "preparation/passes.hpp"
#include "preparation/rare_words.hpp"

namespace tenfold {

struct Report {
  const Survey& survey;
  const Tokenizer& tokenizer;
  std::int64_t long_words;  ///< left out of the tokenizer's training
  const TextCounts& counts;
  RareBand band;
  std::size_t rare_words;
  const WrittenText& written;
};

/// JSON of what the corpus at hand was made of, as FORMATS.md says.
std::string provenance(const Report& report, const Settings& settings);

/// What was chosen and done, in words.
std::string summary(const Report& report, const std::string& path, double seconds, int ranks);

}  // namespace tenfold

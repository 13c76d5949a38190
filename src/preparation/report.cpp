#include "preparation/report.hpp"

#include <algorithm>
#include <iomanip>
#include <nlohmann/json.hpp>
#include <sstream>

#include "base/check.hpp"
#include "base/version.hpp"
#include "preparation/text_encoder.hpp"

namespace tenfold {

namespace {

std::string percent(std::int64_t part, std::int64_t whole) {
  const double share = whole > 0 ? static_cast<double>(part) / static_cast<double>(whole) : 0;
  std::ostringstream out;
  out << std::fixed << std::setprecision(share > 0 && share < 0.001 ? 4 : 2) << 100.0 * share << " %";
  return out.str();
}

const SplitSizes& sizes_of(const TextCounts& counts, Split split) {
  return counts.places.splits[static_cast<std::size_t>(split)].total;
}

/// The share of [UNK], and the most frequent characters without a piece.
std::string unknown_words(const TextCounts& counts) {
  constexpr std::size_t shown = 10;
  const std::int64_t tokens = sizes_of(counts, Split::train).tokens + sizes_of(counts, Split::validation).tokens;
  std::ostringstream out;
  out << "unknown: " << percent(counts.unknown_tokens[0] + counts.unknown_tokens[1], tokens)
      << " of the tokens are [UNK]; ";
  const auto& characters = counts.without_piece;
  out << characters.size() << " characters have no piece" << (characters.empty() ? "" : ", most often");
  for (std::size_t i = 0; i < std::min(shown, characters.size()); ++i) {
    const auto& [character, count] = characters[i];
    out << (i == 0 ? " " : ", ") << utf8_of(character) << " (U+" << std::hex << std::uppercase << std::setw(4)
        << std::setfill('0') << static_cast<std::uint32_t>(character) << ", " << std::dec << count << " times)";
  }
  out << '\n';
  return out.str();
}

}  // namespace

std::string provenance(const Report& report, const Settings& settings) {
  nlohmann::ordered_json files = nlohmann::json::array();
  for (const SurveyedFile& file : report.survey.files)
    files.push_back({{"path", file.path}, {"bytes", file.bytes}, {"crc32", text(std::hex, file.crc32)}});
  const CorpusSettings& corpus = settings.corpus;
  const TokenizerSettings& tokenizer = settings.tokenizer;
  nlohmann::ordered_json keys = {{"corpus.valid_fraction", corpus.valid_fraction},
                                 {"corpus.rare_coverage", corpus.rare_coverage}};
  if (corpus.rare_min_count) keys["corpus.rare_min_count"] = *corpus.rare_min_count;
  if (corpus.rare_max_count) keys["corpus.rare_max_count"] = *corpus.rare_max_count;
  keys["tokenizer.model"] = tokenizer.model;
  keys["tokenizer.lowercase"] = report.tokenizer.lowercases();
  keys["tokenizer.byte_fallback"] = report.tokenizer.has_bytes();
  if (tokenizer.model.empty()) keys["tokenizer.character_coverage"] = tokenizer.character_coverage;
  const CleaningCounts& cleaning = report.counts.cleaning;
  const nlohmann::ordered_json all = {
      {"version", text(version(), " (", git_commit(), ")")},
      {"libraries", text_libraries()},
      {"files", files},
      {"settings", keys},
      {"cleaned", {{"invalid_sequences", cleaning.invalid}, {"control_characters", cleaning.control}}},
      {"words_too_long_to_train_on", report.long_words}};
  return all.dump(2, ' ', false, nlohmann::json::error_handler_t::replace);  // a path may hold any byte
}

std::string summary(const Report& report, const std::string& path, double seconds, int ranks) {
  const TextCounts& counts = report.counts;
  const SplitSizes& train = sizes_of(counts, Split::train);
  const SplitSizes& validation = sizes_of(counts, Split::validation);
  std::ostringstream out;
  out << "vocabulary: " << report.tokenizer.vocabulary_size() << " pieces"
      << (report.tokenizer.lowercases() ? ", case folded" : "") << (report.tokenizer.has_bytes() ? ", with bytes" : "")
      << '\n';
  if (report.long_words > 0)
    out << "tokenizer: " << report.long_words << " words of more than 2048 bytes were left out of its training\n";
  out << unknown_words(counts);
  out << "rare words: " << report.rare_words << " keys, the words of several pieces that occur " << report.band.minimum
      << " to " << report.band.maximum << " times; "
      << percent(report.written.rare_occurrences[0], counts.running_words) << " of the running words, in "
      << percent(report.written.rare_sentences[0], train.sentences) << " of the sentences\n";
  if (counts.cleaning.invalid + counts.cleaning.control > 0)
    out << "cleaned: " << counts.cleaning.invalid << " ill-formed UTF-8 sequences or U+FFFD and "
        << counts.cleaning.control << " control, format and noncharacters left out\n";
  const double megabytes = static_cast<double>(report.survey.bytes) * 1e-6;
  out << std::fixed << std::setprecision(1) << path << ": " << train.tokens << " training and " << validation.tokens
      << " validation tokens in " << train.sentences << " and " << validation.sentences << " sentences, from "
      << megabytes << " MB of text and " << counts.running_words << " running words in " << seconds << " s ("
      << megabytes / seconds << " MB/s on " << ranks << (ranks == 1 ? " rank" : " ranks") << ")\n";
  return out.str();
}

}  // namespace tenfold

#include "io/corpus.hpp"

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <sstream>

#include "base/check.hpp"
#include "io/schema.hpp"

namespace tenfold {

namespace {

/// Occurrences that one look at the file brings: a chunk of 64 KiB of begins.
constexpr std::int64_t rare_block = 8192;

hdf5::File open_corpus(const std::string& path) {
  hdf5::File file = hdf5::File::open(path);
  expect_schema(file, "corpus", corpus_schema);
  return file;
}

std::int64_t extent(const hdf5::Dataset& dataset) {
  return static_cast<std::int64_t>(dataset.extents().at(0));
}

/// Replaces `values` by elements [begin, end).
template <class T>
void read_some(const hdf5::Dataset& dataset, std::int64_t begin, std::int64_t end, std::vector<T>& values) {
  values.resize(static_cast<std::size_t>(end - begin));
  dataset.read(std::span<T>(values), static_cast<hdf5::Size>(begin));
}

/// A reading of [begin, begin + count) of `extent` elements.
void expect_range(std::int64_t begin, std::size_t count, std::int64_t extent) {
  TENFOLD_VERIFY(begin >= 0 && begin + static_cast<std::int64_t>(count) <= extent, "elements ", begin, " to ",
                 begin + static_cast<std::int64_t>(count), " of ", extent);
}

/// Its size and the ids of the special tokens, which the file names by their pieces.
Vocabulary vocabulary_of(const hdf5::File& file) {
  const auto integer = [&](const char* name) { return static_cast<std::int32_t>(file.integer_attribute(name)); };
  return {
      integer("vocabulary_size"),
      {integer("[PAD]"), integer("[UNK]"), integer("[CLS]"), integer("[SEP]"), integer("[MASK]"), integer("[NOTA]")}};
}

}  // namespace

const char* name_of(Split split) {
  return split == Split::train ? "train" : "validation";
}

std::string utf8_of(char32_t character) {
  const auto code = static_cast<std::uint32_t>(character);
  const auto continuing = [&](int shift) { return static_cast<char>(0x80U | (code >> shift & 0x3FU)); };
  if (code < 0x80) return {static_cast<char>(code)};
  if (code < 0x800) return {static_cast<char>(0xC0U | code >> 6U), continuing(0)};
  if (code < 0x10000) return {static_cast<char>(0xE0U | code >> 12U), continuing(6), continuing(0)};
  return {static_cast<char>(0xF0U | code >> 18U), continuing(12), continuing(6), continuing(0)};
}

Corpus::Corpus(const std::string& path)
    : path_(path),
      file_(open_corpus(path)),
      vocabulary_(vocabulary_of(file_)),
      digest_(file_.text_attribute("digest")),
      train_(open_part(Split::train)),
      validation_(open_part(Split::validation)) {}

Corpus::Part Corpus::open_part(Split split) const {
  const hdf5::Group group = file_.open_group(name_of(split));
  Part part{.token_data = group.dataset("tokens"),
            .sentence_data = group.dataset("sentence_offsets"),
            .rare_key = group.dataset("rare/key"),
            .rare_begin = group.dataset("rare/begin"),
            .rare_end = group.dataset("rare/end"),
            .tokens = 0,
            .sentences = 0,
            .documents = 0,
            .occurrences = 0,
            .block_begins = {},
            .begins = {},
            .ends = {},
            .keys = {}};
  part.tokens = extent(part.token_data);
  part.sentences = extent(part.sentence_data) - 1;
  part.documents = extent(group.dataset("document_offsets")) - 1;
  part.occurrences = extent(part.rare_begin);
  TENFOLD_VERIFY(part.sentences >= 0 && part.documents >= 0 && extent(part.rare_key) == part.occurrences &&
                     extent(part.rare_end) == part.occurrences,
                 path_, ": data sets of /", name_of(split), " do not fit each other");
  part.block_begins.assign(static_cast<std::size_t>((part.occurrences + rare_block - 1) / rare_block), -1);
  return part;
}

void Corpus::read_tokens(Split split, std::int64_t begin, std::span<std::int32_t> values) const {
  expect_range(begin, values.size(), tokens(split));
  part(split).token_data.read(values, static_cast<hdf5::Size>(begin));
}

void Corpus::read_sentence_offsets(Split split, std::int64_t begin, std::span<std::int64_t> values) const {
  expect_range(begin, values.size(), sentences(split) + 1);
  part(split).sentence_data.read(values, static_cast<hdf5::Size>(begin));
}

std::int64_t Corpus::block_begin(const Part& part, std::int64_t block) const {
  std::int64_t& begin = part.block_begins[static_cast<std::size_t>(block)];
  if (begin < 0) part.rare_begin.read(std::span(&begin, 1), static_cast<hdf5::Size>(block * rare_block));
  return begin;
}

void Corpus::rare_occurrences(Split split, std::int64_t begin, std::int64_t end,
                              std::vector<RareOccurrence>& found) const {
  const Part& part = this->part(split);
  // The last block that begins before `begin` (or the first) is where the search starts.
  std::int64_t block = 0;
  for (std::int64_t past = static_cast<std::int64_t>(part.block_begins.size()); past - block > 1;) {
    const std::int64_t middle = block + (past - block) / 2;
    (block_begin(part, middle) < begin ? block : past) = middle;
  }
  found.clear();
  for (std::int64_t at = block * rare_block; at < part.occurrences; at += rare_block) {
    const std::int64_t stop = std::min(at + rare_block, part.occurrences);
    read_some(part.rare_begin, at, stop, part.begins);
    const std::int64_t first = at + (std::ranges::lower_bound(part.begins, begin) - part.begins.begin());
    const std::int64_t last = at + (std::ranges::lower_bound(part.begins, end) - part.begins.begin());
    if (first < last) {
      read_some(part.rare_key, first, last, part.keys);
      read_some(part.rare_end, first, last, part.ends);
      for (std::size_t i = 0; i < part.keys.size(); ++i) {
        if (part.ends[i] <= end)
          found.push_back({part.keys[i], part.begins[static_cast<std::size_t>(first - at) + i], part.ends[i]});
      }
    }
    if (last < stop) break;
  }
}

std::int64_t Corpus::rare_keys() const {
  return extent(file_.dataset("rare/count"));
}

std::vector<RareWord> Corpus::rare_words() const {
  const auto bytes = file_.dataset("rare/word").read_all<std::uint8_t>();
  const auto counts = file_.dataset("rare/count").read_all<std::int64_t>();
  std::istringstream lines(std::string(bytes.begin(), bytes.end()));
  std::vector<RareWord> words;
  for (const std::int64_t count : counts) {
    RareWord word{.text = "", .count = count};
    TENFOLD_VERIFY(std::getline(lines, word.text), path_, ": /rare/word has fewer lines than /rare/count");
    words.push_back(std::move(word));
  }
  return words;
}

std::int64_t Corpus::unknown_tokens(Split split) const {
  return file_.open_group(name_of(split)).integer_attribute("unknown_tokens");
}

std::vector<CountedCharacter> Corpus::characters_without_piece() const {
  const auto codes = file_.dataset("without_piece/character").read_all<std::int32_t>();
  const auto counts = file_.dataset("without_piece/count").read_all<std::int64_t>();
  TENFOLD_VERIFY(codes.size() == counts.size(), path_, ": data sets of /without_piece do not fit each other");
  std::vector<CountedCharacter> characters;
  for (std::size_t i = 0; i < codes.size(); ++i)
    characters.push_back({.character = static_cast<char32_t>(codes[i]), .count = counts[i]});
  return characters;
}

std::string Corpus::tokenizer_model() const {
  const auto bytes = file_.dataset("tokenizer").read_all<std::uint8_t>();
  return {bytes.begin(), bytes.end()};
}

/// What the tokenizer does not know; nothing for a corpus that does not say.
nlohmann::json Corpus::describe_unknown() const {
  if (!knows_unknown()) return nullptr;
  constexpr std::size_t shown = 10;
  std::int64_t unknown = 0;
  for (const Split split : {Split::train, Split::validation}) unknown += unknown_tokens(split);
  std::vector<CountedCharacter> characters = characters_without_piece();
  nlohmann::json facts = {{"unknown_tokens", unknown},
                          {"unknown_share", static_cast<double>(unknown) /
                                                static_cast<double>(tokens(Split::train) + tokens(Split::validation))},
                          {"characters_without_piece", characters.size()},
                          {"most_frequent", nlohmann::json::array()}};
  characters.resize(std::min(characters.size(), shown));
  for (const auto& [character, count] : characters) {
    char code[16];
    std::snprintf(code, sizeof code, "U+%04X", static_cast<unsigned>(character));
    facts["most_frequent"].push_back({{"character", utf8_of(character)}, {"code_point", code}, {"count", count}});
  }
  return facts;
}

nlohmann::json Corpus::describe() const {
  nlohmann::json splits;
  for (const Split split : {Split::train, Split::validation}) {
    splits[name_of(split)] = {{"tokens", tokens(split)},
                              {"sentences", sentences(split)},
                              {"documents", documents(split)},
                              {"rare_occurrences", rare_occurrences(split)}};
  }
  return {{"schema", file_.integer_attribute("schema")},
          {"vocabulary_size", vocabulary_.size},
          {"digest", digest_},
          {"splits", splits},
          {"words", extent(file_.dataset("words/count"))},
          {"running_words", file_.integer_attribute("running_words")},
          {"unknown", describe_unknown()},
          {"rare_words", rare_keys()},
          {"rare_minimum", file_.integer_attribute("rare_minimum")},
          {"rare_maximum", file_.integer_attribute("rare_maximum")},
          {"provenance", nlohmann::json::parse(file_.read_text("provenance"))}};
}

}  // namespace tenfold

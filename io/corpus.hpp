#pragma once
// Reading a corpus that `tenfold prepare` wrote (FORMATS.md, "Corpus"): small pieces through the serial driver, so that
// every rank reads its own sequences.

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>
#include <vector>

#include "base/vocabulary.hpp"
#include "io/hdf5.hpp"
#include "io/tokenizer.hpp"

namespace tenfold {

enum class Split { train, validation };

/// Name of the split's group: "train" or "validation".
const char* name_of(Split split);

/// The newest corpus schema that this program writes and reads.
inline constexpr std::int64_t corpus_schema = 1;

/// A rare word's pieces in a split: tokens [begin, end) are the word of that key.
struct RareOccurrence {
  std::int32_t key;
  std::int64_t begin;
  std::int64_t end;
  bool operator==(const RareOccurrence&) const = default;
};

/// A rare word and how often it stands in the training split; its key is its index.
struct RareWord {
  std::string text;
  std::int64_t count;
  bool operator==(const RareWord&) const = default;
};

/// A character and how often it stands in the text, as the tokenizer normalises it.
struct CountedCharacter {
  char32_t character;
  std::int64_t count;
  bool operator==(const CountedCharacter&) const = default;
};

/// A character in UTF-8.
std::string utf8_of(char32_t character);

/// Opened read-only. A file that is missing, no corpus, or of a newer schema is an InputError; a damaged part is an
/// Error when it is read (every chunk has a checksum). Both name the file. Not to be shared between threads.
class Corpus {
 public:
  explicit Corpus(const std::string& path);

  const std::string& path() const { return path_; }
  /// Its size and special tokens.
  const Vocabulary& vocabulary() const { return vocabulary_; }
  int vocabulary_size() const { return vocabulary_.size; }
  /// What identifies the corpus: a hash of its tokens, sentence ends and rare occurrences, in hexadecimal, the same for
  /// the same text, settings and tokenizer.
  const std::string& digest() const { return digest_; }

  std::int64_t tokens(Split split) const { return part(split).tokens; }
  std::int64_t sentences(Split split) const { return part(split).sentences; }
  std::int64_t documents(Split split) const { return part(split).documents; }
  std::int64_t rare_occurrences(Split split) const { return part(split).occurrences; }

  /// Tokens [begin, begin + values.size()) of a split.
  void read_tokens(Split split, std::int64_t begin, std::span<std::int32_t> values) const;
  /// Sentence s is tokens [offset s, offset s + 1), its [SEP] included; there are sentences + 1 offsets, the first 0.
  void read_sentence_offsets(Split split, std::int64_t begin, std::span<std::int64_t> values) const;
  /// Replaces `found` by the occurrences that lie whole in tokens [begin, end), in order.
  void rare_occurrences(Split split, std::int64_t begin, std::int64_t end, std::vector<RareOccurrence>& found) const;

  /// How many rare words there are.
  std::int64_t rare_keys() const;
  /// All rare words, by key.
  std::vector<RareWord> rare_words() const;
  /// Whether the corpus says which tokens and characters the tokenizer does not know; older ones do not.
  bool knows_unknown() const { return file_.has("without_piece"); }
  /// How many tokens of a split are [UNK].
  std::int64_t unknown_tokens(Split split) const;
  /// All characters of the text that have no piece of their own, the most frequent first.
  std::vector<CountedCharacter> characters_without_piece() const;
  /// Bytes of the SentencePiece model.
  std::string tokenizer_model() const;
  Tokenizer tokenizer() const { return {tokenizer_model(), path_}; }

  /// Sizes, provenance and settings, for people and programs.
  nlohmann::json describe() const;

 private:
  struct Part {
    hdf5::Dataset token_data;
    hdf5::Dataset sentence_data;
    hdf5::Dataset rare_key;
    hdf5::Dataset rare_begin;
    hdf5::Dataset rare_end;
    std::int64_t tokens;
    std::int64_t sentences;
    std::int64_t documents;
    std::int64_t occurrences;
    /// Begin of the first occurrence of each block of rare_block, -1 until it was first looked at.
    mutable std::vector<std::int64_t> block_begins;
    mutable std::vector<std::int64_t> begins, ends;  ///< what was looked at last
    mutable std::vector<std::int32_t> keys;
  };
  Part open_part(Split split) const;
  nlohmann::json describe_unknown() const;
  const Part& part(Split split) const { return split == Split::train ? train_ : validation_; }
  std::int64_t block_begin(const Part& part, std::int64_t block) const;

  std::string path_;
  hdf5::File file_;
  Vocabulary vocabulary_;
  std::string digest_;
  Part train_;
  Part validation_;
};

}  // namespace tenfold

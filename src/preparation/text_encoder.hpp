#pragma once
// Text to tokens, sentences and words (UAX 29 by ICU). Neither a piece nor a word crosses white space, so what lies
// between two spaces is encoded once and remembered; the result is that of SentencePiece on whole sentences. Words are
// those of the text as the tokenizer normalises it, so that a word and its pieces never differ.

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "io/tokenizer.hpp"

namespace tenfold {

/// What makes tokens, sentences and words of a text: "SentencePiece 0.1.97, ICU 72.1".
std::string text_libraries();

/// A word with at least one letter and at most 64 bytes in a text as the tokenizer normalises it. Its pieces are tokens
/// [begin, end) of the text, or none (begin == end) when its borders are not borders of pieces. The mark of a word's
/// front belongs to the word.
struct WordOccurrence {
  std::uint32_t word;  ///< number that the encoder gave it
  std::int32_t begin;
  std::int32_t end;
};

struct EncodedText {
  std::vector<std::int32_t> tokens;         ///< every sentence ends in [SEP]
  std::vector<std::int32_t> sentence_ends;  ///< in tokens
  std::vector<WordOccurrence> words;
  std::vector<char32_t> unknown;  ///< characters without a piece, as often as they stand in the text

  void clear() {
    tokens.clear();
    sentence_ends.clear();
    words.clear();
    unknown.clear();
  }
};

class TextEncoder {
 public:
  /// The tokenizer must outlive the encoder.
  explicit TextEncoder(const Tokenizer& tokenizer);
  ~TextEncoder();
  TextEncoder(const TextEncoder&) = delete;
  TextEncoder& operator=(const TextEncoder&) = delete;

  /// Appends a cleaned paragraph (clean_text). A sentence without a piece is left out.
  void encode(std::string_view paragraph, EncodedText& out);
  /// Replaces `out` by cleaned paragraphs, each with a newline.
  void encode_lines(std::string_view lines, EncodedText& out);

  /// Words by number: as the tokenizer normalises them and with case folded, as Tokenizer::lowercases says, so that a
  /// word and its upper-case form are one.
  const std::vector<std::string>& words() const { return words_; }

  /// Whether enough is remembered for forget() to be due; that takes the numbers of all words back.
  bool full() const { return chunks_.size() + words_.size() > memory_limit; }
  void forget();

 private:
  static constexpr std::size_t memory_limit = 1U << 19U;

  /// What a run of text between spaces comes to: ranges of ids_, of occurrences_ (relative to the first id) and of
  /// unknown_.
  struct Chunk {
    std::size_t id_begin, id_end;
    std::size_t word_begin, word_end;
    std::size_t unknown_begin, unknown_end;
  };
  struct TextHash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
  };
  struct Segmenter;

  void encode_sentence(std::string_view sentence, EncodedText& out);
  Chunk make_chunk(std::string_view chunk);
  void find_unknown();
  void find_words();
  void append(const Chunk& chunk, EncodedText& out) const;
  std::uint32_t number_of(std::string_view word);

  const Tokenizer* tokenizer_;
  std::unique_ptr<Segmenter> segmenter_;
  std::unordered_map<std::string, Chunk, TextHash, std::equal_to<>> chunks_;
  std::vector<std::int32_t> ids_;
  std::vector<WordOccurrence> occurrences_;
  std::vector<char32_t> unknown_;
  std::string normalised_;  ///< of the run that is encoded now
  std::vector<Tokenizer::Piece> pieces_;
  std::unordered_map<std::string, std::uint32_t> numbers_;
  std::vector<std::string> words_;
};

}  // namespace tenfold

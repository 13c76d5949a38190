#pragma once
// A SentencePiece model (BPE; Kudo and Richardson 2018, arXiv 1808.06226) as `tenfold prepare` trains and stores it.

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/special_tokens.hpp"

namespace tenfold {

class Tokenizer {
 public:
  /// A model's bytes; `label` names them in messages. InputError unless they are a SentencePiece model with the tokens
  /// of base/special_tokens.hpp and no piece that crosses a space (whitespace normalised, words marked at their front).
  Tokenizer(std::string model, const std::string& label);
  /// A model file; InputError, naming tokenizer.model, as above or when it is no regular file or cannot be read.
  static Tokenizer from_file(const std::string& path);
  Tokenizer(Tokenizer&&) noexcept;
  ~Tokenizer();

  int vocabulary_size() const { return vocabulary_size_; }
  /// Ids of a text, without [CLS] or [SEP]. Of a run of more than 4096 bytes without a space, every so many are encoded
  /// as a word of their own.
  std::vector<std::int32_t> encode(std::string_view text) const;
  std::string decode(std::span<const std::int32_t> ids) const;
  /// The piece of an id in [0, vocabulary size), "\u2581" for the space before a word.
  std::string piece(std::int32_t id) const;
  /// Whether it folds case: upper and lower case are one to it. SentencePiece does so by Unicode's simple case folding,
  /// which leaves U+0130 (a capital I with a dot); here that becomes a small i with a dot, its full case folding.
  bool lowercases() const { return lowercases_; }
  /// Whether a character without a piece becomes a piece a byte instead of [UNK].
  bool has_bytes() const { return has_bytes_; }
  /// The model's bytes.
  const std::string& model() const { return model_; }

  /// One piece and the bytes [begin, end) of the normalised text that it stands for.
  struct Piece {
    std::int32_t id;
    std::int32_t begin;
    std::int32_t end;
    bool known;  ///< false: [UNK], or one byte of a character that has no piece
  };
  /// Replaces `normalised` by the text as the model normalises it and `pieces` by its pieces, which cover it from its
  /// begin to its end. A space stands for the mark of a word's front, before every word.
  void encode_pieces(std::string_view text, std::string& normalised, std::vector<Piece>& pieces) const;

 private:
  struct Processor;
  void check_specials(const std::string& label) const;
  void check_words(const std::string& label) const;
  void append_pieces(std::string_view part, std::string& normalised, std::vector<Piece>& pieces) const;
  std::string_view folded(std::string_view text, std::string& buffer) const;

  std::unique_ptr<Processor> processor_;
  std::string model_;
  int vocabulary_size_ = 0;
  bool lowercases_ = false;
  bool has_bytes_ = false;
};

}  // namespace tenfold

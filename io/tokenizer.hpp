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
  /// of base/special_tokens.hpp, no byte pieces and no piece that crosses a space (whitespace normalised, words marked
  /// at their front).
  Tokenizer(std::string model, const std::string& label);
  /// A model file; InputError as above, or when it cannot be read.
  static Tokenizer from_file(const std::string& path);
  Tokenizer(Tokenizer&&) noexcept;
  ~Tokenizer();

  int vocabulary_size() const { return vocabulary_size_; }
  /// Ids of a text, without [CLS] or [SEP].
  std::vector<std::int32_t> encode(std::string_view text) const;
  std::string decode(std::span<const std::int32_t> ids) const;
  /// The piece of an id in [0, vocabulary size), "\u2581" for the space before a word.
  std::string piece(std::int32_t id) const;
  /// Whether upper and lower case are one to it.
  bool lowercases() const { return lowercases_; }
  /// The model's bytes.
  const std::string& model() const { return model_; }

  /// One piece and the bytes [begin, end) of the text that it stands for; the mark of a word's front stands for none.
  struct Piece {
    std::int32_t id;
    std::int32_t begin;
    std::int32_t end;
  };
  /// Appends the pieces of a text.
  void encode_pieces(std::string_view text, std::vector<Piece>& pieces) const;

 private:
  struct Processor;
  void check_specials(const std::string& label) const;
  void check_words(const std::string& label) const;

  std::unique_ptr<Processor> processor_;
  std::string model_;
  int vocabulary_size_ = 0;
  bool lowercases_ = false;
};

}  // namespace tenfold

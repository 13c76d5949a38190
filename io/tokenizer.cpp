#include "io/tokenizer.hpp"

#include <sentencepiece_processor.h>

#include <fstream>
#include <iterator>

#include "base/check.hpp"

namespace tenfold {

namespace {

/// U+2581, which SentencePiece writes for a space.
constexpr std::string_view space_mark = "\xe2\x96\x81";

constexpr const char* mend =
    "; train it with spm_train --model_type=bpe --pad_id=0 --pad_piece=[PAD] --unk_id=1 --unk_piece=[UNK] --bos_id=-1 "
    "--eos_id=-1 --control_symbols=[CLS],[SEP],[MASK],[NOTA], or leave tokenizer.model out";

void check(const sentencepiece::util::Status& status, const char* action) {
  TENFOLD_VERIFY(status.ok(), "SentencePiece cannot ", action, ": ", status.ToString());
}

}  // namespace

struct Tokenizer::Processor {
  sentencepiece::SentencePieceProcessor model;
};

Tokenizer::Tokenizer(std::string model, const std::string& label)
    : processor_(std::make_unique<Processor>()), model_(std::move(model)) {
  const auto status = processor_->model.LoadFromSerializedProto(model_);
  if (!status.ok() || model_.empty())
    throw InputError(text(label, " holds no SentencePiece model: ", status.ok() ? "it is empty" : status.ToString()));
  vocabulary_size_ = processor_->model.GetPieceSize();
  check_specials(label);
  check_words(label);
  lowercases_ = encode("THE QUEEN") == encode("the queen");
}

Tokenizer Tokenizer::from_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::string model{std::istreambuf_iterator<char>(file), {}};
  if (!file || model.empty())
    throw InputError(text("tokenizer.model: ", path, " cannot be read or is empty; check the path"));
  return {std::move(model), path};
}

Tokenizer::Tokenizer(Tokenizer&&) noexcept = default;
Tokenizer::~Tokenizer() = default;

void Tokenizer::check_specials(const std::string& label) const {
  const auto& pieces = processor_->model;
  for (int id = 0; id < static_cast<int>(special_pieces.size()); ++id) {
    const bool right_kind =
        id < vocabulary_size_ && (id == unknown_token ? pieces.IsUnknown(id) : pieces.IsControl(id));
    if (!right_kind || pieces.IdToPiece(id) != special_pieces[static_cast<std::size_t>(id)])
      throw InputError(text(label, ": piece ", id, " is not the ", id == unknown_token ? "unknown" : "control",
                            " symbol ", special_pieces[static_cast<std::size_t>(id)], mend));
  }
}

void Tokenizer::check_words(const std::string& label) const {
  for (int id = 0; id < vocabulary_size_; ++id) {
    if (processor_->model.IsByte(id)) throw InputError(text(label, ": it has byte pieces (byte_fallback)", mend));
    if (processor_->model.IdToPiece(id).find(space_mark, 1) != std::string::npos)
      throw InputError(text(label, ": piece ", id, " crosses a space", mend));
  }
  std::vector<std::int32_t> apart = encode("a");
  const std::vector<std::int32_t> second = encode("b");
  apart.insert(apart.end(), second.begin(), second.end());
  const bool marked = processor_->model.PieceToId(space_mark) != unknown_token;
  if (!marked || encode(" a  b ") != apart)
    throw InputError(text(label, ": it does not mark the front of words", mend));
}

std::vector<std::int32_t> Tokenizer::encode(std::string_view text) const {
  std::vector<int> ids;
  check(processor_->model.Encode(text, &ids), "encode");
  return ids;
}

std::string Tokenizer::decode(std::span<const std::int32_t> ids) const {
  for (const std::int32_t id : ids) TENFOLD_VERIFY(id >= 0 && id < vocabulary_size_, "token ", id);
  std::string text;
  check(processor_->model.Decode(std::vector<int>(ids.begin(), ids.end()), &text), "decode");
  return text;
}

std::string Tokenizer::piece(std::int32_t id) const {
  TENFOLD_VERIFY(id >= 0 && id < vocabulary_size_, "token ", id);
  return processor_->model.IdToPiece(id);
}

void Tokenizer::encode_pieces(std::string_view text, std::vector<Piece>& pieces) const {
  sentencepiece::ImmutableSentencePieceText encoded;
  check(processor_->model.Encode(text, encoded.mutable_proto()), "encode");
  for (const auto& piece : encoded.pieces()) {
    pieces.push_back({.id = static_cast<std::int32_t>(piece.id()),
                      .begin = static_cast<std::int32_t>(piece.begin()),
                      .end = static_cast<std::int32_t>(piece.end())});
  }
}

}  // namespace tenfold

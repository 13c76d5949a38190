#include "io/tokenizer.hpp"

#include <sentencepiece_processor.h>

#include <cerrno>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "base/check.hpp"

namespace tenfold {

namespace {

/// U+2581, which SentencePiece writes for a space.
constexpr std::string_view space_mark = "\xe2\x96\x81";

/// Bytes that SentencePiece encodes at once. For a run of characters without a piece it takes time that grows with the
/// square of their number.
constexpr std::size_t longest_part = 4096;

/// U+0130 and its full case folding, U+0069 U+0307.
constexpr std::string_view capital_dotted_i = "\xc4\xb0";
constexpr std::string_view small_dotted_i = "i\xcc\x87";

constexpr const char* mend =
    "; train it with spm_train --model_type=bpe --pad_id=0 --pad_piece=[PAD] --unk_id=1 --unk_piece=[UNK] --bos_id=-1 "
    "--eos_id=-1 --control_symbols=[CLS],[SEP],[MASK],[NOTA], or leave tokenizer.model out";

void check(const sentencepiece::util::Status& status, const char* action) {
  TENFOLD_VERIFY(status.ok(), "SentencePiece cannot ", action, ": ", status.ToString());
}

/// Takes from the front of a text what is encoded at once: whole words or, of a longer word, whole characters.
std::string_view take_part(std::string_view& text) {
  std::size_t end = text.size();
  if (end > longest_part) {
    end = text.rfind(' ', longest_part);
    if (end == 0 || end == std::string_view::npos) {
      end = longest_part;
      while (end > longest_part - 3 && (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80U) --end;
    }
  }
  const std::string_view part = text.substr(0, end);
  text.remove_prefix(end);
  return part;
}

/// The byte that a byte piece, "<0xE2>", stands for.
char byte_of(const std::string& piece) {
  int value = 0;
  const auto [end, error] = std::from_chars(piece.data() + 3, piece.data() + piece.size() - 1, value, 16);
  TENFOLD_VERIFY(error == std::errc() && *end == '>', "piece ", piece);
  return static_cast<char>(value);
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
  has_bytes_ = processor_->model.PieceToId("<0x00>") != unknown_token;
  lowercases_ = encode("THE QUEEN") == encode("the queen");
}

Tokenizer Tokenizer::from_file(const std::string& path) {
  std::error_code unreachable;
  const auto kind = std::filesystem::status(path, unreachable).type();
  if (!unreachable && kind != std::filesystem::file_type::regular && kind != std::filesystem::file_type::not_found)
    throw InputError(text("tokenizer.model: ", path, " is no regular file; name a SentencePiece model"));
  std::ifstream file(path, std::ios::binary);
  const int error = errno;
  std::string model{std::istreambuf_iterator<char>(file), {}};
  if (!file) throw InputError(text("tokenizer.model: ", path, " cannot be read: ", std::strerror(error)));
  return {std::move(model), text("tokenizer.model: ", path)};
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

std::string_view Tokenizer::folded(std::string_view text, std::string& buffer) const {
  std::size_t found = lowercases_ ? text.find(capital_dotted_i) : std::string_view::npos;
  if (found == std::string_view::npos) return text;
  buffer = text;
  for (; found != std::string::npos; found = buffer.find(capital_dotted_i, found))
    buffer.replace(found, capital_dotted_i.size(), small_dotted_i);
  return buffer;
}

std::vector<std::int32_t> Tokenizer::encode(std::string_view text) const {
  std::vector<std::int32_t> all;
  std::vector<int> ids;
  std::string buffer;
  for (std::string_view rest = folded(text, buffer); !rest.empty();) {
    check(processor_->model.Encode(take_part(rest), &ids), "encode");
    all.insert(all.end(), ids.begin(), ids.end());
  }
  return all;
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

void Tokenizer::encode_pieces(std::string_view text, std::string& normalised, std::vector<Piece>& pieces) const {
  normalised.clear();
  pieces.clear();
  std::string buffer;
  for (std::string_view rest = folded(text, buffer); !rest.empty();) append_pieces(take_part(rest), normalised, pieces);
}

void Tokenizer::append_pieces(std::string_view part, std::string& normalised, std::vector<Piece>& pieces) const {
  sentencepiece::ImmutableSentencePieceText encoded;
  check(processor_->model.Encode(part, encoded.mutable_proto()), "encode");
  for (const auto& piece : encoded.pieces()) {
    const auto id = static_cast<std::int32_t>(piece.id());
    const auto begin = static_cast<std::int32_t>(normalised.size());
    const std::string& letters = piece.piece();
    const bool is_byte = has_bytes_ && processor_->model.IsByte(id);
    if (is_byte) {
      normalised += byte_of(letters);
    } else if (letters.starts_with(space_mark)) {
      normalised.append(1, ' ').append(letters, space_mark.size());
    } else {
      normalised += letters;
    }
    pieces.push_back({.id = id,
                      .begin = begin,
                      .end = static_cast<std::int32_t>(normalised.size()),
                      .known = id != unknown_token && !is_byte});
  }
}

}  // namespace tenfold

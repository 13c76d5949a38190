#include "preparation/text_encoder.hpp"

#include <unicode/brkiter.h>
#include <unicode/uchar.h>
#include <unicode/utext.h>

#include <algorithm>

#include "base/check.hpp"
#include "io/corpus.hpp"
#include "preparation/utf8.hpp"

namespace tenfold {

namespace {

/// Longer runs without a space are rare; they are encoded anew each time.
constexpr std::size_t longest_remembered = 64;

/// Longer "words", in bytes, are data of some kind, and are not counted.
constexpr std::int32_t longest_word = 64;

void check(UErrorCode status, const char* action) {
  TENFOLD_VERIFY(U_SUCCESS(status) != 0, "ICU cannot ", action, ": ", u_errorName(status));
}

using Boundaries = std::unique_ptr<icu::BreakIterator>;

Boundaries open_boundaries(icu::BreakIterator* (*create)(const icu::Locale&, UErrorCode&)) {
  UErrorCode status = U_ZERO_ERROR;
  Boundaries boundaries(create(icu::Locale::getRoot(), status));
  check(status, "open its rules for sentences and words");
  return boundaries;
}

/// Replaces `key` by a word with case folded; false: it has no letter.
bool fold_case(std::string_view word, std::string& key) {
  constexpr char32_t capital_dotted_i = 0x130;
  bool has_letter = false;
  key.clear();
  for_each_character(word, [&](char32_t character) {
    const auto wide = static_cast<UChar32>(character);
    has_letter = has_letter || u_isalpha(wide) != 0;
    // Simple case folding, but for the one capital that has only a full one.
    key += character == capital_dotted_i ? "i\u0307"
                                         : utf8_of(static_cast<char32_t>(u_foldCase(wide, U_FOLD_CASE_DEFAULT)));
  });
  return has_letter;
}

/// Finds the pieces of words, which come in order.
class PieceSearch {
 public:
  PieceSearch(const std::vector<Tokenizer::Piece>& pieces, std::string_view normalised)
      : pieces_(&pieces), normalised_(normalised) {}

  /// The pieces whose borders are those of bytes [begin, end) of the normalised text; equal numbers when there are
  /// none. A space before the word, the mark of its front, belongs to it.
  std::pair<std::int32_t, std::int32_t> find(std::int32_t begin, std::int32_t end) {
    if (begin > 0 && normalised_[static_cast<std::size_t>(begin) - 1] == ' ') --begin;
    while (at_ < pieces_->size() && (*pieces_)[at_].begin < begin) ++at_;
    std::size_t last = at_;
    while (last < pieces_->size() && (*pieces_)[last].end < end) ++last;
    if (last == pieces_->size() || (*pieces_)[at_].begin != begin || (*pieces_)[last].end != end) return {0, 0};
    return {static_cast<std::int32_t>(at_), static_cast<std::int32_t>(last) + 1};
  }

 private:
  const std::vector<Tokenizer::Piece>* pieces_;
  std::string_view normalised_;
  std::size_t at_ = 0;
};

}  // namespace

struct TextEncoder::Segmenter {
  Boundaries sentences = open_boundaries(icu::BreakIterator::createSentenceInstance);
  Boundaries words = open_boundaries(icu::BreakIterator::createWordInstance);
  UText text = UTEXT_INITIALIZER;

  Segmenter() = default;
  Segmenter(const Segmenter&) = delete;
  Segmenter& operator=(const Segmenter&) = delete;
  ~Segmenter() { utext_close(&text); }

  /// Visits the parts of UTF-8 bytes between the boundaries.
  template <class Visit>
  static void split(icu::BreakIterator& boundaries, UText& text, std::string_view bytes, const Visit& visit) {
    UErrorCode status = U_ZERO_ERROR;
    utext_openUTF8(&text, bytes.data(), static_cast<std::int64_t>(bytes.size()), &status);
    boundaries.setText(&text, status);
    check(status, "read text");
    std::int32_t begin = boundaries.first();
    for (std::int32_t end = boundaries.next(); end != icu::BreakIterator::DONE; end = boundaries.next()) {
      visit(begin, end);
      begin = end;
    }
  }
};

std::string text_libraries() {
  UVersionInfo numbers;
  u_getVersion(numbers);
  char words[U_MAX_VERSION_STRING_LENGTH];
  u_versionToString(numbers, words);
  return text("SentencePiece ", TENFOLD_SENTENCEPIECE_VERSION, ", ICU ", words);
}

TextEncoder::TextEncoder(const Tokenizer& tokenizer)
    : tokenizer_(&tokenizer), segmenter_(std::make_unique<Segmenter>()) {}

TextEncoder::~TextEncoder() = default;

void TextEncoder::forget() {
  chunks_.clear();
  ids_.clear();
  occurrences_.clear();
  unknown_.clear();
  numbers_.clear();
  words_.clear();
}

void TextEncoder::encode(std::string_view paragraph, EncodedText& out) {
  Segmenter::split(*segmenter_->sentences, segmenter_->text, paragraph, [&](std::int32_t begin, std::int32_t end) {
    encode_sentence(paragraph.substr(static_cast<std::size_t>(begin), static_cast<std::size_t>(end - begin)), out);
  });
}

void TextEncoder::encode_lines(std::string_view lines, EncodedText& out) {
  out.clear();
  for (std::size_t begin = 0, end = 0; begin < lines.size(); begin = end + 1) {
    end = lines.find('\n', begin);
    encode(lines.substr(begin, end - begin), out);
  }
}

void TextEncoder::encode_sentence(std::string_view sentence, EncodedText& out) {
  const std::size_t tokens_before = out.tokens.size();
  std::size_t begin = 0;
  while ((begin = sentence.find_first_not_of(' ', begin)) != std::string_view::npos) {
    const std::string_view text = sentence.substr(begin, sentence.find(' ', begin) - begin);
    begin += text.size();
    if (text.size() > longest_remembered) {
      const std::size_t ids = ids_.size();
      const std::size_t occurrences = occurrences_.size();
      const std::size_t unknown = unknown_.size();
      append(make_chunk(text), out);
      ids_.resize(ids);
      occurrences_.resize(occurrences);
      unknown_.resize(unknown);
      continue;
    }
    auto known = chunks_.find(text);
    if (known == chunks_.end()) known = chunks_.emplace(text, make_chunk(text)).first;
    append(known->second, out);
  }
  if (out.tokens.size() == tokens_before) return;
  out.tokens.push_back(separator_token);
  out.sentence_ends.push_back(static_cast<std::int32_t>(out.tokens.size()));
}

TextEncoder::Chunk TextEncoder::make_chunk(std::string_view chunk) {
  Chunk made{};
  made.id_begin = ids_.size();
  made.word_begin = occurrences_.size();
  made.unknown_begin = unknown_.size();
  tokenizer_->encode_pieces(chunk, normalised_, pieces_);
  for (const auto& piece : pieces_) ids_.push_back(piece.id);
  find_unknown();
  find_words();
  made.id_end = ids_.size();
  made.word_end = occurrences_.size();
  made.unknown_end = unknown_.size();
  return made;
}

void TextEncoder::find_unknown() {
  for (auto piece = pieces_.begin(); piece != pieces_.end();) {
    const auto end = std::find_if(piece, pieces_.end(), [](const auto& one) { return one.known; });
    if (end == piece) {
      ++piece;
      continue;
    }
    const auto bytes = static_cast<std::size_t>(std::prev(end)->end - piece->begin);
    for_each_character(std::string_view(normalised_).substr(static_cast<std::size_t>(piece->begin), bytes),
                       [&](char32_t character) { unknown_.push_back(character); });
    piece = end;
  }
}

void TextEncoder::find_words() {
  PieceSearch search(pieces_, normalised_);
  std::string key;
  UText text = UTEXT_INITIALIZER;
  Segmenter::split(*segmenter_->words, text, normalised_, [&](std::int32_t begin, std::int32_t end) {
    if (end - begin > longest_word) return;
    const auto word =
        std::string_view(normalised_).substr(static_cast<std::size_t>(begin), static_cast<std::size_t>(end - begin));
    if (!fold_case(word, key)) return;
    const auto [first, last] = search.find(begin, end);
    occurrences_.push_back({.word = number_of(key), .begin = first, .end = last});
  });
  utext_close(&text);
}

void TextEncoder::append(const Chunk& chunk, EncodedText& out) const {
  const auto base = static_cast<std::int32_t>(out.tokens.size());
  for (std::size_t i = chunk.word_begin; i < chunk.word_end; ++i) {
    const WordOccurrence& word = occurrences_[i];
    out.words.push_back({.word = word.word, .begin = base + word.begin, .end = base + word.end});
  }
  out.unknown.insert(out.unknown.end(), unknown_.begin() + static_cast<std::ptrdiff_t>(chunk.unknown_begin),
                     unknown_.begin() + static_cast<std::ptrdiff_t>(chunk.unknown_end));
  out.tokens.insert(out.tokens.end(), ids_.begin() + static_cast<std::ptrdiff_t>(chunk.id_begin),
                    ids_.begin() + static_cast<std::ptrdiff_t>(chunk.id_end));
}

std::uint32_t TextEncoder::number_of(std::string_view word) {
  const auto [entry, is_new] = numbers_.emplace(word, static_cast<std::uint32_t>(words_.size()));
  if (is_new) words_.emplace_back(word);
  return entry->second;
}

}  // namespace tenfold

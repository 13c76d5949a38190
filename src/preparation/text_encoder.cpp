#include "preparation/text_encoder.hpp"

#include <unicode/brkiter.h>
#include <unicode/normalizer2.h>
#include <unicode/utext.h>

#include <algorithm>

#include "base/check.hpp"

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

bool has_letter(const icu::UnicodeString& word) {
  for (std::int32_t i = 0; i < word.length(); i = word.moveIndex32(i, 1)) {
    if (u_isalpha(word.char32At(i)) != 0) return true;
  }
  return false;
}

/// The pieces whose borders are those of bytes [begin, end) of their text; equal numbers when there are none. A piece
/// that stands for no bytes (the mark of a word's front) goes with what follows.
std::pair<std::int32_t, std::int32_t> aligned_pieces(const std::vector<Tokenizer::Piece>& pieces, std::int32_t begin,
                                                     std::int32_t end) {
  const auto first = std::ranges::find(pieces, begin, &Tokenizer::Piece::begin);
  const auto last = std::find_if(first, pieces.end(), [&](const auto& piece) { return piece.end >= end; });
  if (last == pieces.end() || last->end != end) return {0, 0};
  return {static_cast<std::int32_t>(first - pieces.begin()), static_cast<std::int32_t>(last - pieces.begin()) + 1};
}

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
  numbers_.clear();
  words_.clear();
}

void TextEncoder::encode(std::string_view paragraph, EncodedText& out) {
  Segmenter::split(*segmenter_->sentences, segmenter_->text, paragraph, [&](std::int32_t begin, std::int32_t end) {
    encode_sentence(paragraph.substr(static_cast<std::size_t>(begin), static_cast<std::size_t>(end - begin)), out);
  });
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
      append(make_chunk(text), out);
      ids_.resize(ids);
      occurrences_.resize(occurrences);
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
  Chunk made{.id_begin = ids_.size(), .id_end = 0, .word_begin = occurrences_.size(), .word_end = 0};
  pieces_.clear();
  tokenizer_->encode_pieces(chunk, pieces_);
  for (const auto& piece : pieces_) ids_.push_back(piece.id);
  UText text = UTEXT_INITIALIZER;
  Segmenter::split(*segmenter_->words, text, chunk, [&](std::int32_t begin, std::int32_t end) {
    if (end - begin > longest_word) return;
    UErrorCode status = U_ZERO_ERROR;
    const icu::Normalizer2* nfkc = icu::Normalizer2::getNFKCInstance(status);
    check(status, "open NFKC");
    icu::UnicodeString word =
        nfkc->normalize(icu::UnicodeString::fromUTF8({chunk.data() + begin, end - begin}), status);
    check(status, "normalise a word");
    if (!has_letter(word)) return;
    std::string key;
    word.toLower(icu::Locale::getRoot()).toUTF8String(key);
    const auto [first, last] = aligned_pieces(pieces_, begin, end);
    occurrences_.push_back({.word = number_of(key), .begin = first, .end = last});
  });
  utext_close(&text);
  made.id_end = ids_.size();
  made.word_end = occurrences_.size();
  return made;
}

void TextEncoder::append(const Chunk& chunk, EncodedText& out) const {
  const auto base = static_cast<std::int32_t>(out.tokens.size());
  for (std::size_t i = chunk.word_begin; i < chunk.word_end; ++i) {
    const WordOccurrence& word = occurrences_[i];
    out.words.push_back({.word = word.word, .begin = base + word.begin, .end = base + word.end});
  }
  out.tokens.insert(out.tokens.end(), ids_.begin() + static_cast<std::ptrdiff_t>(chunk.id_begin),
                    ids_.begin() + static_cast<std::ptrdiff_t>(chunk.id_end));
}

std::uint32_t TextEncoder::number_of(std::string_view word) {
  const auto [entry, is_new] = numbers_.emplace(word, static_cast<std::uint32_t>(words_.size()));
  if (is_new) words_.emplace_back(word);
  return entry->second;
}

}  // namespace tenfold

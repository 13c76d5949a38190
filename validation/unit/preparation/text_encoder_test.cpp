#include "preparation/text_encoder.hpp"

#include <gtest/gtest.h>
#include <unicode/brkiter.h>
#include <unicode/uchar.h>

#include "base/random.hpp"
#include "preparation/cleaning.hpp"
#include "sample_text.hpp"

namespace tenfold {
namespace {

/// The parts of a text between ICU's boundaries, by way of UTF-16.
std::vector<std::string> parts_of(const std::string& text,
                                  icu::BreakIterator* (*create)(const icu::Locale&, UErrorCode&)) {
  UErrorCode status = U_ZERO_ERROR;
  const std::unique_ptr<icu::BreakIterator> boundaries(create(icu::Locale::getRoot(), status));
  const icu::UnicodeString wide = icu::UnicodeString::fromUTF8(text);
  boundaries->setText(wide);
  std::vector<std::string> parts;
  for (std::int32_t begin = 0, end = boundaries->next(); end != icu::BreakIterator::DONE; end = boundaries->next()) {
    wide.tempSubStringBetween(begin, end).toUTF8String(parts.emplace_back());
    begin = end;
  }
  return parts;
}

/// Simple case folding by ICU, and the full one of U+0130, which has no simple one.
std::string folded(const std::string& text) {
  const icu::UnicodeString wide = icu::UnicodeString::fromUTF8(text);
  icu::UnicodeString small;
  for (std::int32_t i = 0; i < wide.length(); i = wide.moveIndex32(i, 1)) {
    const UChar32 character = wide.char32At(i);
    character == 0x130 ? small.append(0x69).append(0x307) : small.append(u_foldCase(character, U_FOLD_CASE_DEFAULT));
  }
  std::string result;
  return small.toUTF8String(result);
}

/// Words of a sentence as the tokenizer normalises it.
std::vector<std::string> words_of(const Tokenizer& tokenizer, const std::string& sentence) {
  std::string normalised;
  std::vector<Tokenizer::Piece> pieces;
  tokenizer.encode_pieces(sentence, normalised, pieces);
  std::vector<std::string> words;
  for (const std::string& part : parts_of(normalised, icu::BreakIterator::createWordInstance)) {
    const icu::UnicodeString word = icu::UnicodeString::fromUTF8(part);
    bool letter = false;
    for (std::int32_t i = 0; i < word.length(); i = word.moveIndex32(i, 1)) letter |= u_isalpha(word.char32At(i)) != 0;
    if (letter) words.push_back(folded(part));
  }
  return words;
}

std::string clean(const std::string& raw) {
  CleaningCounts counts;
  std::string result;
  clean_text(raw, result, counts);
  return result;
}

/// What encoding must come to: SentencePiece and ICU on whole sentences.
void expect_as_by_sentence(const Tokenizer& tokenizer, TextEncoder& encoder, const std::string& paragraph) {
  EncodedText encoded;
  encoder.encode(paragraph, encoded);
  std::vector<std::int32_t> tokens;
  std::vector<std::int32_t> ends;
  std::vector<std::string> words;
  for (const std::string& sentence : parts_of(paragraph, icu::BreakIterator::createSentenceInstance)) {
    const auto ids = tokenizer.encode(sentence);
    if (ids.empty()) continue;
    tokens.insert(tokens.end(), ids.begin(), ids.end());
    tokens.push_back(separator_token);
    ends.push_back(static_cast<std::int32_t>(tokens.size()));
    for (const std::string& word : words_of(tokenizer, sentence)) words.push_back(word);
  }
  EXPECT_EQ(encoded.tokens, tokens) << paragraph;
  EXPECT_EQ(encoded.sentence_ends, ends) << paragraph;
  std::vector<std::string> found;
  for (const WordOccurrence& word : encoded.words) found.push_back(encoder.words()[word.word]);
  EXPECT_EQ(found, words) << paragraph;
}

/// Characters that normalise, join, combine or break in unusual ways, and common ones between them.
std::string random_paragraph(std::uint64_t number) {
  static const std::vector<std::string> alphabet = {"a",          "e",
                                                    "The",        "and",
                                                    "Z",          " ",
                                                    " ",          " ",
                                                    ".",          "?",
                                                    "!",          "'",
                                                    "-",          ",",
                                                    "1",          "2.5",
                                                    "\"",         "(",
                                                    ")",          ":",
                                                    "[MASK]",     "\u00b4",
                                                    "\u0301",     "\u00e9",
                                                    "\uff21",     "\ufb01",
                                                    "\u00a0",     "\u3000",
                                                    "\u200b",     "\u200d",
                                                    "\u00ad",     "\u65e5",
                                                    "\u3002",     "\u0e2a\u0e27",
                                                    "\U0001F600", "\u2026",
                                                    "\u00bd",     "\u1e9b\u0323",
                                                    "\u0130",     "\u03a3",
                                                    "\u00a8",     "\u203e",
                                                    "\ufe0f",     "\u05d0",
                                                    "\u30ab",     "\u309b",
                                                    "\u0345",     "\u2010",
                                                    "_",          "\u00df"};
  RandomSequence random(stream_key(7, "paragraphs"), 0, number);
  std::string paragraph;
  for (std::uint32_t i = 0, length = 1 + random.below(40); i < length; ++i)
    paragraph += alphabet[random.below(static_cast<std::uint32_t>(alphabet.size()))];
  return clean(paragraph);
}

TEST(TextEncoder, IsSentencePieceAndIcuOnWholeSentences) {
  for (const bool lowercase : {false, true}) {
    const Tokenizer tokenizer(sample_model(lowercase), "model");
    EXPECT_EQ(tokenizer.lowercases(), lowercase);
    TextEncoder encoder(tokenizer);
    for (int again = 0; again < 2; ++again)  // the second time from memory
      for (const std::string& paragraph : sample_paragraphs)
        expect_as_by_sentence(tokenizer, encoder, clean(paragraph));
    for (std::uint64_t i = 0; i < 5000; ++i) expect_as_by_sentence(tokenizer, encoder, random_paragraph(i));
    encoder.forget();
    for (std::uint64_t i = 0; i < 100; ++i) expect_as_by_sentence(tokenizer, encoder, random_paragraph(i));
    std::string long_word;
    for (int i = 0; i < 100; ++i) long_word += "consolation";
    expect_as_by_sentence(tokenizer, encoder, "after " + std::string(60, 'a') + "!" + std::string(30, 'b') + " before");
    EncodedText encoded;
    encoder.encode(long_word, encoded);
    EXPECT_TRUE(encoded.words.empty()) << "more than 64 bytes are no word";
  }
}

TEST(TextEncoder, SentencesAsByUax29) {
  const Tokenizer tokenizer(sample_model(), "model");
  TextEncoder encoder(tokenizer);
  const auto sentences = [&](const std::string& paragraph) {
    EncodedText encoded;
    encoder.encode(paragraph, encoded);
    std::vector<std::string> found;
    std::int32_t begin = 0;
    for (const std::int32_t end : encoded.sentence_ends) {
      EXPECT_EQ(encoded.tokens[static_cast<std::size_t>(end) - 1], separator_token);
      found.push_back(tokenizer.decode(std::span(encoded.tokens).subspan(begin, end - begin - 1)));
      begin = end;
    }
    return found;
  };
  using Sentences = std::vector<std::string>;
  EXPECT_EQ(sentences("He came. She went! Why? they asked"),
            (Sentences{"He came.", "She went!", "Why?", "they asked"}));
  EXPECT_EQ(sentences("He paid 3.14 and e.g. nothing."), (Sentences{"He paid 3.14 and e.g. nothing."}));
  EXPECT_EQ(sentences("What?No"), (Sentences{"What?", "No"}));
  EXPECT_EQ(sentences(""), Sentences{});
}

TEST(TextEncoder, NoTextBecomesAControlSymbol) {
  const Tokenizer tokenizer(sample_model(), "model");
  TextEncoder encoder(tokenizer);
  EncodedText encoded;
  encoder.encode("[PAD] [CLS] [MASK][MASK] [NOTA] x[SEP]y \"[MASK]\" [ MASK ]", encoded);
  encoded.tokens.pop_back();  // the [SEP] that ends the sentence
  for (const std::int32_t token : encoded.tokens)
    EXPECT_TRUE(token == unknown_token || token > none_of_the_above_token) << tokenizer.piece(token);
}

TEST(TextEncoder, AWordsPiecesAreWholeAndItsOwn) {
  const Tokenizer tokenizer(sample_model(), "model");
  TextEncoder encoder(tokenizer);
  std::int64_t aligned = 0;
  for (const std::string& paragraph : sample_paragraphs) {
    EncodedText encoded;
    encoder.encode(clean(paragraph), encoded);
    for (const WordOccurrence& word : encoded.words) {
      if (word.begin == word.end) continue;
      std::string pieces;
      bool known = true;
      for (std::int32_t i = word.begin; i < word.end; ++i) {
        const std::int32_t token = encoded.tokens[static_cast<std::size_t>(i)];
        known &= token != unknown_token;
        std::string piece = tokenizer.piece(token);
        // The mark of a word's front stands at its front only.
        if (i == word.begin && piece.starts_with("\u2581")) piece.erase(0, 3);
        pieces += piece;
      }
      if (known) {
        EXPECT_EQ(folded(pieces), encoder.words()[word.word]);
      }
      ++aligned;
    }
  }
  EXPECT_GT(aligned, 300);
}

TEST(TextEncoder, WordsAreThoseOfTheNormalisedText) {
  for (const bool lowercase : {false, true}) {
    const Tokenizer tokenizer(sample_model(lowercase), "model");
    TextEncoder encoder(tokenizer);
    const auto words = [&](const std::string& raw) {
      EncodedText encoded;
      encoder.encode(clean(raw), encoded);
      std::vector<std::string> found;
      for (const WordOccurrence& word : encoded.words) {
        EXPECT_LT(word.begin, word.end) << raw;
        found.push_back(encoder.words()[word.word]);
      }
      return found;
    };
    using Words = std::vector<std::string>;
    // A space to the tokenizer is one to the words.
    EXPECT_EQ(words("a\u200cb c\u200bd"), (Words{"a", "b", "c", "d"}));
    EXPECT_EQ(words("co\u00adop\u2060erate\ufeff"), Words{"cooperate"});
    EXPECT_EQ(words("\ufb01ne FINE"), (Words{"fine", "fine"}));
    EXPECT_EQ(words("\u0130stanbul i\u0307stanbul"), (Words{"i\u0307stanbul", "i\u0307stanbul"}));
    EXPECT_EQ(words("STRASSE stra\u00dfe"), (Words{"strasse", "stra\u00dfe"}));
  }
}

TEST(TextEncoder, CharactersWithoutAPieceAreTold) {
  TokenizerSettings settings;
  settings.vocabulary_size = 400;
  settings.character_coverage = 0;
  for (const bool bytes : {false, true}) {
    settings.byte_fallback = bytes;
    const Tokenizer tokenizer(
        trained_on("some words and other words of a text\n" + sample_paragraphs[0] + "\n", settings).model, "model");
    TextEncoder encoder(tokenizer);
    for (int again = 0; again < 2; ++again) {  // the second time from memory
      EncodedText encoded;
      encoder.encode("a\u65e5b \u65e5\u672c and \U0001F600! \u65e5\u672c", encoded);
      EXPECT_EQ(encoded.unknown, (std::vector<char32_t>{0x65e5, 0x65e5, 0x672c, 0x1F600, 0x65e5, 0x672c}));
      EXPECT_EQ(std::ranges::count(encoded.tokens, unknown_token), bytes ? 0 : 4);
    }
  }
}

TEST(TextEncoder, AWordWithinAPieceHasNone) {
  const Tokenizer tokenizer(foreign_model({{"split_by_unicode_script", "false"}}, "x--y x--y x--y a b ab"), "model");
  ASSERT_EQ(tokenizer.encode("x--y").size(), 1U) << "the test needs this piece";
  TextEncoder encoder(tokenizer);
  EncodedText encoded;
  encoder.encode("x--y ba", encoded);
  ASSERT_EQ(encoded.words.size(), 3U);
  EXPECT_EQ(encoded.words[0].begin, encoded.words[0].end);
  EXPECT_EQ(encoded.words[1].begin, encoded.words[1].end);
  EXPECT_EQ(encoded.words[2].begin, 1);
  EXPECT_EQ(encoded.words[2].end, static_cast<std::int32_t>(encoded.tokens.size()) - 1);
}

}  // namespace
}  // namespace tenfold

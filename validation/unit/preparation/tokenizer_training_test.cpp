#include "preparation/tokenizer_training.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>

#include "base/check.hpp"
#include "base/random.hpp"
#include "sample_text.hpp"

namespace tenfold {
namespace {

TokenizerSettings settings_of(int vocabulary_size) {
  TokenizerSettings settings;
  settings.vocabulary_size = vocabulary_size;
  return settings;
}

std::int64_t unknown_in(const Tokenizer& tokenizer, const std::string& text) {
  const auto ids = tokenizer.encode(text);
  return std::ranges::count(ids, unknown_token);
}

std::string printable_ascii() {
  std::string all;
  for (char c = '!'; c <= '~'; ++c) all += c;
  return all;
}

TEST(TokenizerTraining, EveryPrintableAsciiCharacterHasAPiece) {
  for (const bool lowercase : {false, true}) {
    TokenizerSettings settings = settings_of(lowercase ? 90 : 112);
    settings.lowercase = lowercase;
    const Tokenizer tokenizer(trained_on("Only these few words\n", settings).model, "model");
    EXPECT_EQ(tokenizer.lowercases(), lowercase);
    EXPECT_EQ(unknown_in(tokenizer, printable_ascii()), 0);
    std::string expected = printable_ascii();
    if (lowercase) std::ranges::transform(expected, expected.begin(), [](char c) { return std::tolower(c); });
    EXPECT_EQ(tokenizer.decode(tokenizer.encode(printable_ascii())), expected);
  }
}

/// Words that stand once each, with marks that stand beside different words each time, as in a dictionary.
std::string rare_words_with_marks(int words) {
  RandomSequence random(stream_key(3, "words"), 0, 0);
  const std::string marks = "!0689_*";
  std::string text;
  for (int i = 0; i < words; ++i) {
    for (std::uint32_t j = 0, length = 4 + random.below(6); j < length; ++j)
      text += static_cast<char>('a' + random.below(26));
    if (i % 7 == 0) text += marks[random.below(static_cast<std::uint32_t>(marks.size()))];
    text += i % 20 == 19 ? '\n' : ' ';
  }
  return text + '\n';
}

TEST(TokenizerTraining, WordsThatAllDifferAreEnough) {
  const std::string text = rare_words_with_marks(8'000);
  const Tokenizer tokenizer(trained_on(text, settings_of(1024)).model, "model");
  EXPECT_EQ(tokenizer.vocabulary_size(), 1024);
  EXPECT_EQ(unknown_in(tokenizer, text), 0);
}

TEST(TokenizerTraining, OtherCharactersGetPiecesByTheirShare) {
  std::string text = "some words and other words of a text\n";
  for (int i = 0; i < 9'999; ++i) text += "\u65e5 ";
  text += "\u672c \u8a9e\n";
  const auto unknown = [&](double coverage) {
    TokenizerSettings settings = settings_of(110);
    settings.character_coverage = coverage;
    return unknown_in(Tokenizer(trained_on(text, settings).model, "model"), text);
  };
  EXPECT_EQ(unknown(0), 10'001);
  EXPECT_EQ(unknown(0.9998), 2) << "9,999 of 10,001 are more than 0.9998";
  EXPECT_EQ(unknown(0.9999), 1);
}

TEST(TokenizerTraining, CharactersWithoutAPiecePartWhatStandsBesideThem) {
  std::string text;
  for (int i = 0; i < 200; ++i) text += "ab\u65e5cd \u672c\u672c ab cd ";
  TokenizerSettings settings = settings_of(104);
  settings.character_coverage = 0.5;
  const Tokenizer tokenizer(trained_on(text + '\n', settings).model, "model");
  for (std::int32_t id = 0; id < tokenizer.vocabulary_size(); ++id) {
    EXPECT_EQ(tokenizer.piece(id).find('\0'), std::string::npos);
    EXPECT_EQ(tokenizer.piece(id).find("bc"), std::string::npos) << tokenizer.piece(id);
  }
  EXPECT_EQ(unknown_in(tokenizer, "\u65e5"), 1);
  EXPECT_EQ(unknown_in(tokenizer, "\u672c"), 0);
}

TEST(TokenizerTraining, WithBytesNothingIsUnknown) {
  TokenizerSettings settings = settings_of(370);
  settings.byte_fallback = true;
  settings.character_coverage = 0;
  const Tokenizer tokenizer(trained_on("some words and other words, na\u00efve\n", settings).model, "model");
  EXPECT_TRUE(tokenizer.has_bytes());
  for (const std::string& paragraph : sample_paragraphs) EXPECT_EQ(unknown_in(tokenizer, paragraph), 0);
  EXPECT_EQ(tokenizer.decode(tokenizer.encode("\u65e5\U0001F600 <0x41>")), "\u65e5\U0001F600 <0x41>");
}

/// What training refuses says which vocabulary would do.
int advised(const std::string& text, const TokenizerSettings& settings, const std::string& before_number) {
  try {
    trained_on(text, settings);
  } catch (const InputError& error) {
    const std::string message = error.what();
    EXPECT_NE(message.find("tokenizer.vocabulary_size = "), std::string::npos) << message;
    const std::size_t at = message.find(before_number);
    EXPECT_NE(at, std::string::npos) << message;
    return at == std::string::npos ? 0 : std::stoi(message.substr(at + before_number.size()));
  }
  ADD_FAILURE() << "was not refused";
  return 0;
}

TEST(TokenizerTraining, AnUnfitVocabularyIsRefusedWithANumberThatFits) {
  const std::string text = "some words and other words, na\u00efve\n";
  for (const bool bytes : {false, true}) {
    TokenizerSettings settings = settings_of(64);
    settings.byte_fallback = bytes;
    settings.vocabulary_size = advised(text, settings, "this text needs ");
    EXPECT_NO_THROW(trained_on(text, settings));
    --*settings.vocabulary_size;
    advised(text, settings, "this text needs ");
    settings.vocabulary_size = 100'000;
    settings.vocabulary_size = advised(text, settings, "<= ");
    EXPECT_NO_THROW(trained_on(text, settings));
  }
}

TEST(TokenizerTraining, AWordTooLongForTheTrainerIsLeftOutAndCounted) {
  const std::string long_word(40'000, 'a');
  const TrainedTokenizer trained = trained_on(
      "some words " + long_word + " and words " + long_word + "\n" + std::string(70'000, 'b') + "\n", settings_of(106));
  EXPECT_EQ(trained.long_words, 3);
  std::string data;  // a line of base64 is no single long word to the trainer
  for (int i = 0; i < 5000; ++i) data += "aB3/dE+fG7h";
  EXPECT_EQ(trained_on("some words " + data + "\n", settings_of(106)).long_words, 0);
}

}  // namespace
}  // namespace tenfold

#include "io/tokenizer.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>

#include "../io/temporary_folder.hpp"
#include "base/check.hpp"
#include "sample_text.hpp"

namespace tenfold {
namespace {

TEST(Tokenizer, HasTheSpecialTokensAndTheVocabularyAskedFor) {
  const Tokenizer tokenizer(sample_model(), "model");
  EXPECT_EQ(tokenizer.vocabulary_size(), 400);
  for (std::int32_t id = 0; id < 6; ++id) EXPECT_EQ(tokenizer.piece(id), special_pieces[static_cast<std::size_t>(id)]);
  EXPECT_THROW(tokenizer.piece(400), Error);
  EXPECT_THROW(tokenizer.decode(std::vector<std::int32_t>{-1}), Error);
}

TEST(Tokenizer, DecodesWhatItEncodes) {
  const Tokenizer tokenizer(sample_model(), "model");
  EXPECT_EQ(tokenizer.decode(tokenizer.encode(sample_paragraphs[0])), sample_paragraphs[0]);
  const Tokenizer lowercase(sample_model(true), "model");
  EXPECT_EQ(lowercase.decode(lowercase.encode("Sir WALTER")), "sir walter");
}

TEST(Tokenizer, PiecesCoverTheNormalisedTextInOrder) {
  const Tokenizer tokenizer(sample_model(), "model");
  for (const char* text : {"Walter, cafe", "\ufb01ne \uff21 \U0001F600\u65e5!", "a\u200cb  x\u0301\u0e2a"}) {
    std::string normalised;
    std::vector<Tokenizer::Piece> pieces;
    tokenizer.encode_pieces(text, normalised, pieces);
    std::vector<std::int32_t> ids;
    std::int32_t at = 0;
    for (const auto& piece : pieces) {
      ids.push_back(piece.id);
      EXPECT_EQ(piece.begin, at);
      at = piece.end;
      EXPECT_EQ(piece.known, piece.id != unknown_token);
    }
    EXPECT_EQ(at, static_cast<std::int32_t>(normalised.size()));
    EXPECT_EQ(ids, tokenizer.encode(text));
  }
  std::string normalised;
  std::vector<Tokenizer::Piece> pieces;
  tokenizer.encode_pieces("\ufb01ne a\u200cb", normalised, pieces);
  EXPECT_EQ(normalised, " fine a b");
}

TEST(Tokenizer, FoldsCaseOfEveryCapital) {
  const Tokenizer tokenizer(sample_model(true), "model");
  EXPECT_EQ(tokenizer.encode("\u0130STANBUL \u0130\u0130"), tokenizer.encode("i\u0307stanbul i\u0307i\u0307"));
  EXPECT_EQ(tokenizer.encode("\u03a3\u03a3 \u00c9"), tokenizer.encode("\u03c3\u03c3 \u00e9"));
  const Tokenizer cased(sample_model(), "model");
  EXPECT_NE(cased.encode("\u0130STANBUL"), cased.encode("i\u0307stanbul"));
}

TEST(Tokenizer, VeryLongWordsAreEncodedPartByPart) {
  const Tokenizer tokenizer(sample_model(), "model");
  for (const std::string unit : {"a", "ab1/+=", "\u65e5"}) {  // the last has no piece
    std::string word;
    while (word.size() < 1'000'000) word += unit;
    std::string normalised;
    std::vector<Tokenizer::Piece> pieces;
    tokenizer.encode_pieces(word, normalised, pieces);
    EXPECT_EQ(pieces.back().end, static_cast<std::int32_t>(normalised.size()));
    std::erase(normalised, ' ');
    EXPECT_EQ(normalised, word);
  }
}

TEST(Tokenizer, LongTextIsEncodedAsItsWordsAre) {
  const Tokenizer tokenizer(sample_model(), "model");
  std::string text;
  std::vector<std::int32_t> expected;
  for (int i = 0; i < 20; ++i) {
    for (const std::string& paragraph : sample_paragraphs) {
      text += paragraph + ' ';
      const auto ids = tokenizer.encode(paragraph);
      expected.insert(expected.end(), ids.begin(), ids.end());
    }
  }
  EXPECT_EQ(tokenizer.encode(text), expected);
}

TEST(Tokenizer, TrainingGivesTheSameBytesAgain) {
  EXPECT_EQ(sample_model(), sample_model());
}

TEST(Tokenizer, ModelsWithoutTheSpecialTokensAreRefused) {
  EXPECT_NO_THROW(Tokenizer(foreign_model({}), "model"));
  EXPECT_THROW(Tokenizer(foreign_model({{"control_symbols", "[SEP],[CLS],[MASK],[NOTA]"}}), "model"), InputError);
  EXPECT_THROW(
      Tokenizer(foreign_model({{"control_symbols", ""}, {"user_defined_symbols", "[CLS],[SEP],[MASK],[NOTA]"}}),
                "model"),
      InputError);
  EXPECT_THROW(Tokenizer(foreign_model({{"pad_id", "1"}, {"unk_id", "0"}}), "model"), InputError);
  EXPECT_THROW(Tokenizer(foreign_model({{"split_by_whitespace", "false"}}), "model"), InputError);
  EXPECT_THROW(Tokenizer(foreign_model({{"treat_whitespace_as_suffix", "true"}}), "model"), InputError);
  EXPECT_THROW(Tokenizer(foreign_model({{"add_dummy_prefix", "false"}}), "model"), InputError);
  EXPECT_TRUE(Tokenizer(foreign_model({{"byte_fallback", "true"}, {"vocab_size", "350"}}), "model").has_bytes());
  EXPECT_THROW(Tokenizer("not a model", "model"), InputError);
  EXPECT_THROW(Tokenizer("", "model"), InputError);
}

TEST(Tokenizer, FilesAreReadOrNamed) {
  const TemporaryFolder folder;
  std::ofstream(folder / "a.model", std::ios::binary) << sample_model();
  EXPECT_EQ(Tokenizer::from_file(folder / "a.model").model(), sample_model());
  std::ofstream(folder / "empty.model").flush();
  ASSERT_EQ(mkfifo((folder / "fifo.model").c_str(), 0600), 0);
  for (const std::string& path : {folder / "missing.model", folder.path(), folder / "fifo.model",
                                  folder / "empty.model", std::string("/dev/zero")}) {
    try {
      Tokenizer::from_file(path);
      ADD_FAILURE() << path;
    } catch (const InputError& error) {
      EXPECT_NE(std::string(error.what()).find("tokenizer.model: " + path), std::string::npos) << error.what();
    }
  }
}

}  // namespace
}  // namespace tenfold

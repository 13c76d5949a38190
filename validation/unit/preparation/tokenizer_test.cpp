#include "io/tokenizer.hpp"

#include <gtest/gtest.h>

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

TEST(Tokenizer, PiecesCoverTheTextInOrder) {
  const Tokenizer tokenizer(sample_model(), "model");
  std::vector<Tokenizer::Piece> pieces;
  tokenizer.encode_pieces("Walter, cafe", pieces);
  std::vector<std::int32_t> ids;
  std::int32_t at = 0;
  for (const auto& piece : pieces) {
    ids.push_back(piece.id);
    EXPECT_EQ(piece.begin, at);
    at = piece.end;
  }
  EXPECT_EQ(at, 12);
  EXPECT_EQ(ids, tokenizer.encode("Walter, cafe"));
}

TEST(Tokenizer, TrainingGivesTheSameBytesAgain) {
  EXPECT_EQ(sample_model(), sample_model());
}

TEST(Tokenizer, TextThatIsTooSmallIsSaidSo) {
  for (const int vocabulary_size : {10, 100'000}) {
    try {
      sample_model(false, vocabulary_size);
      ADD_FAILURE() << vocabulary_size;
    } catch (const InputError& error) {
      EXPECT_NE(std::string(error.what()).find("tokenizer.vocabulary_size"), std::string::npos) << error.what();
    }
  }
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
  EXPECT_THROW(Tokenizer(foreign_model({{"byte_fallback", "true"}, {"vocab_size", "350"}}), "model"), InputError);
  EXPECT_THROW(Tokenizer("not a model", "model"), InputError);
  EXPECT_THROW(Tokenizer("", "model"), InputError);
}

TEST(Tokenizer, FilesAreReadOrNamed) {
  const TemporaryFolder folder;
  std::ofstream(folder / "a.model", std::ios::binary) << sample_model();
  EXPECT_EQ(Tokenizer::from_file(folder / "a.model").model(), sample_model());
  try {
    Tokenizer::from_file(folder / "missing.model");
    ADD_FAILURE();
  } catch (const InputError& error) {
    EXPECT_NE(std::string(error.what()).find("missing.model"), std::string::npos);
  }
}

}  // namespace
}  // namespace tenfold

#include "io/corpus.hpp"

#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <numeric>

#include "../io/temporary_folder.hpp"
#include "base/check.hpp"
#include "sample_text.hpp"

namespace tenfold {
namespace {

constexpr std::int64_t occurrences = 30'000;  // more than three chunks of begins

template <class T>
void put(hdf5::Location& place, const std::string& name, const std::vector<T>& values) {
  const hdf5::Size chunk = std::min<hdf5::Size>(values.size(), 65536 / sizeof(T));
  place.create_dataset<T>(name, {values.size()}, {.chunk = {chunk}, .extendible = false, .fletcher32 = true})
      .write(std::span<const T>(values));
}

std::vector<std::uint8_t> bytes(const std::string& text) {
  return {text.begin(), text.end()};
}

template <class T>
std::vector<T> counted(std::int64_t count, T first, T step) {
  std::vector<T> values(static_cast<std::size_t>(count));
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<T>(first + static_cast<T>(i) * step);
  return values;
}

/// A corpus written by the letter of FORMATS.md: token i is i mod 5000; occurrence o has key o mod 2, tokens [5 + 10 o,
/// 8 + 10 o).
void write_corpus(const std::string& path, std::int64_t schema) {
  hdf5::File file = hdf5::File::create(path);
  file.set_attribute("format", std::string("corpus"));
  file.set_attribute("schema", schema);
  file.set_attribute("vocabulary_size", std::int64_t{5000});
  for (std::size_t id = 0; id < special_pieces.size(); ++id)
    file.set_attribute(special_pieces[id], static_cast<std::int64_t>(id));
  file.set_attribute("digest", std::string("0123456789abcdef"));
  file.set_attribute("running_words", std::int64_t{77});
  file.set_attribute("rare_minimum", std::int64_t{10});
  file.set_attribute("rare_maximum", std::int64_t{50});
  for (const std::string split : {"train", "validation"}) {
    const std::int64_t count = split == "train" ? occurrences : 1;
    hdf5::Group group = file.group(split);
    std::vector<std::uint16_t> tokens(static_cast<std::size_t>(10 * count));
    for (std::size_t i = 0; i < tokens.size(); ++i) tokens[i] = static_cast<std::uint16_t>(i % 5000);
    put(group, "tokens", tokens);
    put(group, "sentence_offsets", counted<std::int64_t>(count + 1, 0, 10));
    put(group, "document_offsets", std::vector<std::int64_t>{0, 10 * count});
    hdf5::Group rare = group.group("rare");
    std::vector<std::int32_t> keys(static_cast<std::size_t>(count));
    for (std::size_t i = 0; i < keys.size(); ++i) keys[i] = static_cast<std::int32_t>(i % 2);
    put(rare, "key", keys);
    put(rare, "begin", counted<std::int64_t>(count, 5, 10));
    put(rare, "end", counted<std::int64_t>(count, 8, 10));
  }
  {
    hdf5::Group words = file.group("words");
    put(words, "text", bytes("the\nzephyr\nna\u00efve\n"));
    put(words, "count", std::vector<std::int64_t>{40, 20, 17});
    hdf5::Group rare = file.group("rare");
    put(rare, "word", bytes("zephyr\nna\u00efve\n"));
    put(rare, "count", std::vector<std::int64_t>{20, 17});
  }
  put(file, "tokenizer", bytes(sample_model()));
  file.write_text("provenance", R"({"version": "0"})");
  file.close();
}

TEST(Corpus, ReadsWhatTheFormatSays) {
  const TemporaryFolder folder;
  write_corpus(folder / "a.h5", corpus_schema);
  const Corpus corpus(folder / "a.h5");
  EXPECT_EQ(corpus.vocabulary_size(), 5000);
  EXPECT_EQ(corpus.digest(), "0123456789abcdef");
  EXPECT_EQ(corpus.tokens(Split::train), 10 * occurrences);
  EXPECT_EQ(corpus.sentences(Split::train), occurrences);
  EXPECT_EQ(corpus.documents(Split::train), 1);
  EXPECT_EQ(corpus.tokens(Split::validation), 10);
  std::vector<std::int32_t> tokens(7);
  corpus.read_tokens(Split::train, 69'998, tokens);
  EXPECT_EQ(tokens, (std::vector<std::int32_t>{4998, 4999, 0, 1, 2, 3, 4}));
  std::vector<std::int64_t> offsets(2);
  corpus.read_sentence_offsets(Split::train, occurrences - 1, offsets);
  EXPECT_EQ(offsets, (std::vector<std::int64_t>{10 * occurrences - 10, 10 * occurrences}));
  EXPECT_THROW(corpus.read_tokens(Split::validation, 8, tokens), Error);
  EXPECT_EQ(corpus.rare_words(), (std::vector<RareWord>{{"zephyr", 20}, {"na\u00efve", 17}}));
  EXPECT_EQ(corpus.tokenizer().vocabulary_size(), 400);
  const nlohmann::json facts = corpus.describe();
  EXPECT_EQ(facts["splits"]["train"]["tokens"], 10 * occurrences);
  EXPECT_EQ(facts["words"], 3);
  EXPECT_EQ(facts["provenance"]["version"], "0");
  EXPECT_TRUE(facts["unknown"].is_null()) << "a corpus of an older version does not say";
}

TEST(Corpus, TellsWhatTheTokenizerDoesNotKnow) {
  const TemporaryFolder folder;
  write_corpus(folder / "a.h5", corpus_schema);
  {
    hdf5::File file = hdf5::File::open(folder / "a.h5", hdf5::Access::read_write);
    file.open_group("train").set_attribute("unknown_tokens", std::int64_t{30});
    file.open_group("validation").set_attribute("unknown_tokens", std::int64_t{1});
    {
      hdf5::Group group = file.group("without_piece");
      put(group, "character", std::vector<std::int32_t>{0x65E5, 0x1F600, 0xDF});
      put(group, "count", std::vector<std::int64_t>{20, 9, 3});
    }
    file.close();
  }
  const nlohmann::json facts = Corpus(folder / "a.h5").describe()["unknown"];
  EXPECT_EQ(facts["unknown_tokens"], 31);
  EXPECT_DOUBLE_EQ(facts["unknown_share"], 31.0 / (10 * occurrences + 10));
  EXPECT_EQ(facts["characters_without_piece"], 3);
  const std::vector<std::string> characters = {"\u65e5", "\U0001F600", "\u00df"};
  for (std::size_t i = 0; i < characters.size(); ++i) EXPECT_EQ(facts["most_frequent"][i]["character"], characters[i]);
  EXPECT_EQ(facts["most_frequent"][1]["code_point"], "U+1F600");
}

TEST(Corpus, FindsTheOccurrencesThatLieWholeInARange) {
  const TemporaryFolder folder;
  write_corpus(folder / "a.h5", corpus_schema);
  const Corpus corpus(folder / "a.h5");
  std::vector<RareOccurrence> found;
  for (const std::int64_t begin : {0, 4, 5, 6, 81'919, 81'920, 81'925, 81'926, 163'850, 245'000, 299'985, 299'999}) {
    for (const std::int64_t length : {0, 1, 2, 3, 4, 12, 128, 90'000}) {
      std::vector<RareOccurrence> expected;
      for (std::int64_t i = 0; i < occurrences; ++i) {
        const RareOccurrence one{.key = static_cast<std::int32_t>(i % 2), .begin = 5 + 10 * i, .end = 8 + 10 * i};
        if (one.begin >= begin && one.end <= begin + length) expected.push_back(one);
      }
      corpus.rare_occurrences(Split::train, begin, begin + length, found);
      EXPECT_EQ(found, expected) << begin << " + " << length;
    }
  }
}

TEST(Corpus, RefusesWhatIsNotOne) {
  const TemporaryFolder folder;
  write_corpus(folder / "newer.h5", corpus_schema + 1);
  std::ofstream(folder / "text.h5") << "text";
  for (const char* name : {"newer.h5", "text.h5", "missing.h5"}) {
    try {
      const Corpus corpus(folder / name);
      ADD_FAILURE() << name;
    } catch (const InputError& error) {
      EXPECT_NE(std::string(error.what()).find(name), std::string::npos) << error.what();
    }
  }
}

TEST(Corpus, ADamagedChunkIsAnErrorThatNamesTheFile) {
  const TemporaryFolder folder;
  write_corpus(folder / "a.h5", corpus_schema);
  std::fstream file(folder / "a.h5", std::ios::binary | std::ios::in | std::ios::out);
  const std::string content{std::istreambuf_iterator<char>(file), {}};
  const std::uint16_t run[] = {2000, 2001, 2002, 2003};
  const std::size_t place = content.find(std::string(reinterpret_cast<const char*>(run), sizeof run));
  ASSERT_NE(place, std::string::npos);
  file.seekp(static_cast<std::streamoff>(place));
  file.put('\x11');
  file.close();
  const Corpus corpus(folder / "a.h5");
  std::vector<std::int32_t> tokens(128);
  try {
    corpus.read_tokens(Split::train, 10, tokens);
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("a.h5"), std::string::npos) << error.what();
  }
  EXPECT_NO_THROW(corpus.read_tokens(Split::train, 200'000, tokens)) << "the other chunks are whole";
}

}  // namespace
}  // namespace tenfold

#include "preparation/unit_reader.hpp"

#include <gtest/gtest.h>
#include <zlib.h>

#include <fstream>

#include "../io/temporary_folder.hpp"
#include "base/check.hpp"
#include "preparation/passes.hpp"
#include "preparation/survey.hpp"

namespace tenfold {
namespace {

std::string write(const std::string& path, const std::string& text) {
  std::ofstream(path, std::ios::binary) << text;
  return path;
}

std::string write_gzip(const std::string& path, const std::string& text) {
  gzFile file = gzopen(path.c_str(), "wb");
  EXPECT_EQ(gzwrite(file, text.data(), static_cast<unsigned>(text.size())), static_cast<int>(text.size()));
  EXPECT_EQ(gzclose(file), Z_OK);
  return path;
}

std::vector<Unit> units_of(const std::string& path, UnitLimits limits = {}, std::int64_t from = 0) {
  TextFile file(path);
  UnitReader reader(file, from, limits);
  std::vector<Unit> units;
  for (Unit unit; reader.next(unit);) units.push_back(unit);
  return units;
}

std::vector<std::string> paragraphs_of(const Unit& unit) {
  std::vector<std::string> paragraphs;
  for (std::size_t i = 0; i < unit.ends.size(); ++i) paragraphs.emplace_back(unit.paragraph(i));
  return paragraphs;
}

using Lines = std::vector<std::string>;

TEST(UnitReader, BlankLinesPartDocuments) {
  const TemporaryFolder folder;
  const auto units = units_of(write(folder / "a", "\n one\ntwo\n \t\r\n\nthree"));
  ASSERT_EQ(units.size(), 2U);
  EXPECT_EQ(paragraphs_of(units[0]), (Lines{" one\n", "two\n"}));
  EXPECT_EQ(paragraphs_of(units[1]), Lines{"three"});
  EXPECT_TRUE(units[0].starts_document);
  EXPECT_TRUE(units[1].starts_document);
}

TEST(UnitReader, AUnitHasAtMost200Paragraphs) {
  const TemporaryFolder folder;
  std::string text;
  for (int i = 0; i < 450; ++i) text += "p\n";
  const auto units = units_of(write(folder / "a", text + "\nq\n"));
  ASSERT_EQ(units.size(), 4U);
  EXPECT_EQ(units[0].ends.size(), 200U);
  EXPECT_EQ(units[1].ends.size(), 200U);
  EXPECT_EQ(units[2].ends.size(), 50U);
  EXPECT_TRUE(units[0].starts_document);
  EXPECT_FALSE(units[1].starts_document);
  EXPECT_FALSE(units[2].starts_document);
  EXPECT_TRUE(units[3].starts_document);
}

TEST(UnitReader, LongLinesAreCutAtWhiteSpaceOrBetweenCharacters) {
  const TemporaryFolder folder;
  const UnitLimits limits{.paragraphs = 200, .bytes = 10};
  Lines pieces;
  for (const Unit& unit :
       units_of(write(folder / "a", "aaa bbb ccc ddd\n\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\n"), limits))
    for (const std::string& piece : paragraphs_of(unit)) pieces.push_back(piece);
  EXPECT_EQ(pieces, (Lines{"aaa bbb ", "ccc ddd\n", "\u00e9\u00e9\u00e9\u00e9\u00e9", "\u00e9\n"}));
}

TEST(UnitReader, WhiteSpaceInALongLineEndsNoDocument) {
  const TemporaryFolder folder;
  const std::string line = "word" + std::string(35, ' ') + "other" + std::string(25, ' ');
  const auto units = units_of(write(folder / "a", line + "\nnext\n"), {.paragraphs = 200, .bytes = 10});
  for (std::size_t i = 1; i < units.size(); ++i) EXPECT_FALSE(units[i].starts_document) << i;
}

/// Lines of all lengths, blank ones, and no end of line at the end.
std::string awkward_text() {
  std::string text = "\n\n";
  for (int i = 0; i < 400; ++i) {
    text += std::string(static_cast<std::size_t>(i * 7 % 53), static_cast<char>('a' + i % 26));
    if (i % 3 == 0) text += std::string(static_cast<std::size_t>(i % 31), ' ') + "\u65e5\u672c";
    if (i % 5 != 0) text += "\n";
    if (i % 11 == 0) text += " \n";
  }
  return text + "end";
}

TEST(UnitReader, GzippedTextIsTheSame) {
  const TemporaryFolder folder;
  const auto plain = units_of(write(folder / "a", awkward_text()));
  const auto gzipped = units_of(write_gzip(folder / "a.gz", awkward_text()));
  ASSERT_EQ(plain.size(), gzipped.size());
  for (std::size_t i = 0; i < plain.size(); ++i) EXPECT_EQ(plain[i].text, gzipped[i].text);
}

TEST(UnitReader, LinesMayEndInCrLf) {
  const TemporaryFolder folder;
  std::string text;  // lines of about the longest length, among others
  for (std::size_t i = 0; i < 40; ++i) text += std::string(i * 5 % 24, 'a') + (i % 9 == 8 ? "\n\n" : "\n");
  std::string other;
  for (const char byte : text) other += byte == '\n' ? "\r\n" : std::string(1, byte);
  for (const UnitLimits limits : {UnitLimits{3, 1000}, UnitLimits{200, 20}, UnitLimits{5, 21}}) {
    const auto plain = units_of(write(folder / "a", text), limits);
    const auto windows = units_of(write(folder / "b", other), limits);
    ASSERT_EQ(plain.size(), windows.size());
    for (std::size_t i = 0; i < plain.size(); ++i) {
      EXPECT_EQ(plain[i].text, windows[i].text) << i;
      EXPECT_EQ(plain[i].ends, windows[i].ends) << i;
      EXPECT_EQ(plain[i].starts_document, windows[i].starts_document) << i;
    }
  }
}

TEST(UnitReader, ReadingMayStartAfterAnyUnit) {
  const TemporaryFolder folder;
  const std::string path = write(folder / "a", awkward_text());
  {
    for (const UnitLimits limits : {UnitLimits{3, 1000}, UnitLimits{200, 16}, UnitLimits{5, 40}}) {
      const auto units = units_of(path, limits);
      ASSERT_GT(units.size(), 20U);
      for (std::size_t first = 0; first < units.size(); ++first) {
        const auto rest = units_of(path, limits, first == 0 ? 0 : units[first - 1].end);
        ASSERT_EQ(rest.size(), units.size() - first);
        for (std::size_t i = 0; i < rest.size(); ++i) {
          EXPECT_EQ(rest[i].text, units[first + i].text);
          EXPECT_EQ(rest[i].ends, units[first + i].ends);
          EXPECT_EQ(rest[i].starts_document, units[first + i].starts_document) << first << " " << i;
          EXPECT_EQ(rest[i].end, units[first + i].end);
        }
      }
    }
  }
}

TEST(UnitReader, AVeryLongLineComesInPieces) {
  const TemporaryFolder folder;
  std::string line;
  while (line.size() < 20'000'000) line += "some words and ";
  std::string whole;
  for (const Unit& unit : units_of(write(folder / "a", line))) {
    EXPECT_LE(unit.text.size(), 128U << 10U);
    whole += unit.text;
  }
  EXPECT_EQ(whole, line);
}

TEST(TextFile, RefusalsNameTheFile) {
  const TemporaryFolder folder;
  const std::string whole = write_gzip(folder / "whole.gz", awkward_text());
  std::ifstream in(whole, std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(in), {}};
  const std::string cut = write(folder / "cut.gz", bytes.substr(0, bytes.size() / 2));
  const std::string no_end = write(folder / "no_end.gz", bytes.substr(0, bytes.size() - 3));
  for (const std::string& path : {cut, no_end, folder / "missing", folder.path()}) {
    try {
      units_of(path);
      ADD_FAILURE() << path << " was read";
    } catch (const InputError& error) {
      EXPECT_NE(std::string(error.what()).find(path), std::string::npos) << error.what();
    }
  }
}

Survey survey_of(const std::vector<bool>& gzipped, std::int64_t batches_a_file) {
  Survey survey;
  for (std::size_t file = 0; file < gzipped.size(); ++file) {
    survey.files.push_back({.path = "", .bytes = 0, .crc32 = 0, .gzipped = gzipped[file]});
    for (std::int64_t i = 0; i < batches_a_file; ++i) {
      survey.batches.push_back({.file = static_cast<std::int64_t>(file),
                                .begin = 0,
                                .end = 1 + i % 5 * 100,
                                .documents = 0,
                                .first_document = 0});
      survey.bytes += survey.batches.back().end;
    }
  }
  return survey;
}

TEST(Shares, EachBatchIsOneRanksAndTheOrderStays) {
  for (const std::vector<bool>& gzipped :
       {std::vector{false}, std::vector{true}, std::vector{true, false, true, true, false}}) {
    const Survey survey = survey_of(gzipped, 37);
    for (int ranks = 1; ranks < 50; ++ranks) {
      std::size_t next = 0;
      for (int rank = 0; rank < ranks; ++rank) {
        const Share share = share_of(survey, rank, ranks);
        EXPECT_EQ(share.begin, next);
        EXPECT_GE(share.end, share.begin);
        next = share.end;
      }
      EXPECT_EQ(next, survey.batches.size());
    }
  }
}

TEST(Shares, AGzippedFileIsOneRanks) {
  const Survey survey = survey_of({true, false, true, true, true, false}, 37);
  for (int ranks = 1; ranks < 50; ++ranks) {
    for (int rank = 0; rank < ranks; ++rank) {
      const Share share = share_of(survey, rank, ranks);
      if (share.begin == 0 || share.begin == survey.batches.size()) continue;
      const std::int64_t file = survey.batches[share.begin].file;
      if (survey.files[static_cast<std::size_t>(file)].gzipped) {
        EXPECT_NE(survey.batches[share.begin - 1].file, file) << rank << " of " << ranks;
      }
    }
  }
  // Six equal gzipped files for six ranks are one each.
  const Survey equal = survey_of(std::vector<bool>(6, true), 37);
  for (int rank = 0; rank < 6; ++rank) EXPECT_EQ(share_of(equal, rank, 6).begin, static_cast<std::size_t>(rank) * 37);
}

CleanUnit cleaned(const std::string& text) {
  Unit unit;
  unit.text = text;
  unit.ends = {text.size()};
  CleanUnit clean;
  clean_unit(unit, clean);
  return clean;
}

TEST(Splits, FollowTheCleanedTextAlone) {
  int validation = 0;
  for (int i = 0; i < 20'000; ++i) {
    const std::string text = "paragraph " + std::to_string(i);
    const CleanUnit unit = cleaned(text + "\n");
    const Split split = split_of(unit, 0.05);
    EXPECT_EQ(split_of(cleaned("\ufeff " + text + "\t\r\n"), 0.05), split);
    // Who is in a small validation split is in a larger one, too.
    if (split == Split::validation) {
      EXPECT_EQ(split_of(unit, 0.06), Split::validation);
    }
    validation += split == Split::validation ? 1 : 0;
  }
  EXPECT_NEAR(validation, 1000, 5 * 31);  // five standard deviations of a binomial count
}

}  // namespace
}  // namespace tenfold

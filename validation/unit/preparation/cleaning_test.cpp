#include "preparation/cleaning.hpp"

#include <gtest/gtest.h>

namespace tenfold {
namespace {

struct Case {
  const char* name;
  std::string_view raw;
  std::string_view clean;
  std::int64_t invalid;
  std::int64_t control;
};

// Counts of ill-formed sequences are those of the Unicode Standard, table 3-8 and 3-11 (maximal subparts).
constexpr std::string_view nul_inside("a\0b", 3);
const Case cases[] = {
    {"nothing", "", "", 0, 0},
    {"only white space", " \t\r\n", "", 0, 0},
    {"a line with its end", "two  words \r\n", "two words", 0, 0},
    {"UTF-8 stays", "na\u00efve \u65e5\u672c \U0001F600", "na\u00efve \u65e5\u672c \U0001F600", 0, 0},
    {"white space of Unicode", "a\u00a0b\u2003\u2028c\u3000d\u0085e", "a b c d e", 0, 0},
    {"the mark of SentencePiece", "a\u2581b", "a b", 0, 0},
    {"NUL, bell, escape, delete", nul_inside, "ab", 0, 1},
    {"C0 and C1 controls",
     "a\x07\x1b"
     "b\x7f"
     "c\u0080d",
     "abcd", 0, 4},
    {"byte order mark and a noncharacter", "\ufeffword\ufdd0", "word", 0, 2},
    {"format characters that show nothing", "co\u00adop\u2060era\u200ete\u202e\u061c", "cooperate", 0, 5},
    {"a space without width", "a\u200bb", "a b", 0, 0},
    {"joiners, variants and tags stay", "a\u200cb\u200dc \u2764\ufe0f\U000e0067",
     "a\u200cb\u200dc \u2764\ufe0f\U000e0067", 0, 0},
    {"a format character that shows", "\u0600\u0661", "\u0600\u0661", 0, 0},
    {"Latin-1", "caf\xe9 au lait", "caf au lait", 1, 0},
    {"a lone continuation byte", "a\x80z", "az", 1, 0},
    {"overlong slash", "a\xc0\xafz", "az", 2, 0},
    {"a surrogate", "a\xed\xa0\x80z", "az", 3, 0},
    {"beyond U+10FFFF", "a\xf4\x91\x92\x93z", "az", 4, 0},
    {"truncated sequences",
     "\xe1\x80\xe2\xf0\x91\x92\xf1\xbf"
     "A",
     "A", 4, 0},
    {"cut at the end", "word \xe2\x82", "word", 1, 0},
    {"replacement characters of others", "wo\ufffdrd", "word", 1, 0},
    {"white space around what goes", "a \x07 b", "a b", 0, 1},
};

TEST(Cleaning, TableOfCases) {
  for (const Case& one : cases) {
    CleaningCounts counts;
    std::string clean = "left over";
    clean_text(one.raw, clean, counts);
    EXPECT_EQ(clean, one.clean) << one.name;
    EXPECT_EQ(counts.invalid, one.invalid) << one.name;
    EXPECT_EQ(counts.control, one.control) << one.name;
  }
}

TEST(Cleaning, WhatIsCleanStaysAsItIs) {
  for (const Case& one : cases) {
    CleaningCounts counts;
    std::string again;
    clean_text(one.clean, again, counts);
    EXPECT_EQ(again, one.clean) << one.name;
    EXPECT_EQ(counts.invalid + counts.control, 0) << one.name;
  }
}

}  // namespace
}  // namespace tenfold

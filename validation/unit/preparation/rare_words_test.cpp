#include "preparation/rare_words.hpp"

#include <gtest/gtest.h>

namespace tenfold {
namespace {

/// Counts 1 to 1000, each of one word that is split whenever it stands.
SplitOccurrences one_word_a_count() {
  SplitOccurrences classes;
  for (std::int64_t count = 1; count <= 1000; ++count) classes[count] = count;
  return classes;
}

constexpr std::int64_t between_10_and_50 = 50 * 51 / 2 - 9 * 10 / 2;

TEST(RareWords, CoverageIsTheSumOfTheBand) {
  EXPECT_EQ(covered(one_word_a_count(), {10, 50}), between_10_and_50);
  EXPECT_EQ(covered(one_word_a_count(), {7, 7}), 7);
  EXPECT_EQ(covered(one_word_a_count(), {5, 4}), 0);
}

TEST(RareWords, GivenBoundsStand) {
  const auto classes = one_word_a_count();
  EXPECT_EQ(choose_band(classes, 1'000'000, {0.01, 3, 4}), (RareBand{3, 4}));
  // 30 + ... + 53 = 996, and + 54 = 1050 is the first to reach 1000.
  EXPECT_EQ(choose_band(classes, 100'000, {0.01, 30, std::nullopt}), (RareBand{30, 54}));
  // 100 + ... + 91 = 955, and + 90 = 1045.
  EXPECT_EQ(choose_band(classes, 100'000, {0.01, std::nullopt, 100}), (RareBand{90, 100}));
}

TEST(RareWords, TheBandIsAsWideAsTheCoverageAsks) {
  // 20 + ... + 48 = 986, and + 49 = 1035 is the first to reach 1000.
  EXPECT_EQ(choose_band(one_word_a_count(), 100'000, {0.01, std::nullopt, std::nullopt}), (RareBand{20, 49}));
}

TEST(RareWords, WhereFrequentWordsWouldBeNeededRarerOnesComeIn) {
  const auto classes = one_word_a_count();
  // 1 % of 486,000 is 4860; 20..100, as wide as 5 to 1 allows, has 4860.
  EXPECT_EQ(choose_band(classes, 486'000, {0.01, std::nullopt, std::nullopt}), (RareBand{20, 100}));
  // 1 % of 490,000 is 4900; 18..100 has 4897, 17..100 has 4914.
  EXPECT_EQ(choose_band(classes, 490'000, {0.01, std::nullopt, std::nullopt}), (RareBand{17, 100}));
  // 2 % of 2,000,000 is not to be had: a word that stands more than 200 times in them is not rare.
  EXPECT_EQ(choose_band(classes, 2'000'000, {0.02, std::nullopt, std::nullopt}), (RareBand{2, 200}));
}

TEST(RareWords, NoCoverageMeansNone) {
  EXPECT_EQ(covered(one_word_a_count(), choose_band(one_word_a_count(), 1000, {0, std::nullopt, std::nullopt})), 0);
  EXPECT_EQ(covered({}, choose_band({}, 0, {0.01, std::nullopt, std::nullopt})), 0);
}

}  // namespace
}  // namespace tenfold

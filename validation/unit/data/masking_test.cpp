#include "data/masking.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

namespace tenfold {
namespace {

constexpr Vocabulary vocabulary{1000};
constexpr std::int32_t ordinary = 500;

ObjectiveSettings bert(ObjectiveKind kind = ObjectiveKind::mlm) {
  ObjectiveSettings settings;
  settings.kind = kind;
  settings.leave_unmasked = 0.1;
  settings.replace_random = 0.1;
  return settings;
}

struct Masked {
  std::vector<std::int32_t> tokens, selected;
};

Masked mask(int length, const ObjectiveSettings& settings, std::uint64_t sequence) {
  Masked out;
  out.tokens.assign(static_cast<std::size_t>(length), ordinary);
  out.tokens.front() = vocabulary.special.cls;
  out.tokens.back() = vocabulary.special.separator;
  mask_sequence(out.tokens, settings, vocabulary, RandomSequence(9, 0, sequence), out.selected);
  return out;
}

TEST(Masking, SelectsTheShareOnAverageRoundedUpOrDown) {
  constexpr int length = 33;
  constexpr int sequences = 4000;
  double total = 0;
  for (std::uint64_t s = 0; s < sequences; ++s) {
    const auto count = static_cast<double>(mask(length, bert(), s).selected.size());
    EXPECT_TRUE(count == 4 || count == 5) << count;  // floor(4.95 + U)
    total += count;
  }
  EXPECT_NEAR(total / sequences, 0.15 * length, 0.02);  // standard error 0.0034
}

// [CLS] may be among them where it is drawn back like any token; a generator or controller never draws it.
TEST(Masking, SelectsEveryPositionEquallyOftenAndWithoutReplacementButClsUnderMlmOnly) {
  constexpr int length = 40;
  constexpr int sequences = 20000;
  for (const ObjectiveKind kind : {ObjectiveKind::mlm, ObjectiveKind::electra, ObjectiveKind::multiple_choice}) {
    std::vector<double> hits(length);
    for (std::uint64_t s = 0; s < sequences; ++s) {
      const Masked masked = mask(length, bert(kind), s);
      EXPECT_TRUE(std::adjacent_find(masked.selected.begin(), masked.selected.end(), std::greater_equal<>()) ==
                  masked.selected.end())
          << "ascending and distinct";
      for (std::int32_t position : masked.selected) ++hits[static_cast<std::size_t>(position)];
    }
    const std::size_t first = kind == ObjectiveKind::mlm ? 0 : 1;
    const double drawable = static_cast<double>(length - first), share = 0.15 * length / drawable;
    double chi_square = 0;
    for (std::size_t i = 0; i < first; ++i) EXPECT_EQ(hits[i], 0);
    for (std::size_t i = first; i < length; ++i)
      chi_square += std::pow(hits[i] - share * sequences, 2) / (share * sequences * (1 - share));
    EXPECT_LT(chi_square, drawable - 1 + 5 * std::sqrt(2 * (drawable - 1))) << "5 sigma";
  }
}

TEST(Masking, OfFewTokensSelectsNoMoreThanThereAre) {
  ObjectiveSettings settings = bert(ObjectiveKind::electra);
  settings.mask_rate = 0.99;
  for (std::uint64_t s = 0; s < 50; ++s) EXPECT_EQ(mask(3, settings, s).selected, (std::vector<std::int32_t>{1, 2}));
}

TEST(Masking, ReplacesInTheAskedShares) {
  double masks = 0;
  double kept = 0;
  double random = 0;
  for (std::uint64_t s = 0; s < 5000; ++s) {
    const Masked masked = mask(100, bert(), s);
    for (std::int32_t position : masked.selected) {
      if (position == 0 || position == 99) continue;
      const std::int32_t token = masked.tokens[static_cast<std::size_t>(position)];
      const SpecialTokens& special = vocabulary.special;
      (token == special.mask ? masks : token == ordinary ? kept : random) += 1;
      EXPECT_TRUE(token == special.mask || token > special.none_of_the_above) << "special token " << token << " drawn";
    }
  }
  const double total = masks + kept + random;
  EXPECT_NEAR(masks / total, 0.8, 0.01);
  EXPECT_NEAR(kept / total, 0.1, 0.01);
  EXPECT_NEAR(random / total, 0.1, 0.01);
}

TEST(Masking, LeavesOtherTokensAlone) {
  const Masked masked = mask(64, bert(), 5);
  for (std::int32_t position = 1; position < 63; ++position) {
    const bool selected = std::binary_search(masked.selected.begin(), masked.selected.end(), position);
    EXPECT_TRUE(selected || masked.tokens[static_cast<std::size_t>(position)] == ordinary) << position;
  }
}

// Ids of special tokens belong to a tokenizer, wherever they stand.
TEST(RandomToken, IsAnyOrdinaryOneEquallyOften) {
  const Vocabulary scattered{16,
                             {.pad = 15, .unknown = 0, .cls = 3, .separator = 7, .mask = 8, .none_of_the_above = 12}};
  constexpr int draws = 20000;
  std::vector<int> hits(16);
  RandomSequence random(3, 0, 0);
  for (int i = 0; i < draws; ++i) ++hits[static_cast<std::size_t>(random_token(scattered, random))];
  for (std::int32_t token = 0; token < 16; ++token) {
    const bool special = std::ranges::count(scattered.special.ascending(), token) > 0;
    EXPECT_NEAR(hits[static_cast<std::size_t>(token)], special ? 0 : draws / 10, special ? 0 : 250)
        << token;  // 5.9 sigma
  }
}

}  // namespace
}  // namespace tenfold

#include "data/masking.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "io/tokenizer.hpp"

namespace tenfold {
namespace {

constexpr int vocabulary = 1000;
constexpr std::int32_t ordinary = 500;

ObjectiveSettings bert() {
  ObjectiveSettings settings;
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
  out.tokens.front() = class_token;
  out.tokens.back() = separator_token;
  mask_sequence(out.tokens, settings, vocabulary, RandomSequence(9, 0, sequence), out.selected);
  return out;
}

TEST(Masking, SelectsTheShareOnAverageAndNeverMoreThanTheCapacity) {
  constexpr int length = 33;
  constexpr int sequences = 4000;
  double total = 0;
  for (std::uint64_t s = 0; s < sequences; ++s) {
    const auto count = static_cast<double>(mask(length, bert(), s).selected.size());
    EXPECT_TRUE(count == 4 || count == 5) << count;  // floor(4.95 + U)
    EXPECT_LE(count, static_cast<double>(selected_capacity(0.15, length)));
    total += count;
  }
  EXPECT_NEAR(total / sequences, 0.15 * length, 0.02);  // standard error 0.0034
}

TEST(Masking, SelectsEveryPositionEquallyOftenAndWithoutReplacement) {
  constexpr int length = 40;
  constexpr int sequences = 20000;
  std::vector<double> hits(length);
  for (std::uint64_t s = 0; s < sequences; ++s) {
    const Masked masked = mask(length, bert(), s);
    EXPECT_TRUE(std::adjacent_find(masked.selected.begin(), masked.selected.end(), std::greater_equal<>()) ==
                masked.selected.end())
        << "ascending and distinct";
    for (std::int32_t position : masked.selected) ++hits[static_cast<std::size_t>(position)];
  }
  double chi_square = 0;
  const double expected = 0.15 * sequences;
  for (double hit : hits) chi_square += (hit - expected) * (hit - expected) / (expected * (1 - 0.15));
  EXPECT_LT(chi_square, 39 + 5 * std::sqrt(2.0 * 39));  // 39 degrees of freedom, 5 sigma
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
      (token == mask_token ? masks : token == ordinary ? kept : random) += 1;
      EXPECT_TRUE(token == mask_token || token > none_of_the_above_token) << "special token " << token << " drawn";
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

}  // namespace
}  // namespace tenfold

#pragma once
// Pearson's test of counts against an exact law.

#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <vector>

namespace tenfold::test {

/// Outcomes of an experiment with their exact probabilities; what is not listed must not occur.
using Law = std::map<std::vector<int>, double>;
using Counts = std::map<std::vector<int>, double>;

/// Fails where counts so far from the law would turn up once in a million experiments. Outcomes expected fewer than
/// five times are taken together.
inline void expect_law(const Counts& counts, const Law& law) {
  double trials = 0, probability = 0;
  for (const auto& [outcome, count] : counts) {
    trials += count;
    ASSERT_TRUE(law.contains(outcome) && law.at(outcome) > 0) << "an impossible outcome: " << outcome.front();
  }
  double statistic = 0, rare_expected = 0, rare_count = 0;
  int cells = 0;
  const auto add = [&](double count, double expected) {
    statistic += (count - expected) * (count - expected) / expected;
    ++cells;
  };
  for (const auto& [outcome, chance] : law) {
    probability += chance;
    const double count = counts.contains(outcome) ? counts.at(outcome) : 0;
    if (chance * trials >= 5) {
      add(count, chance * trials);
    } else {
      rare_expected += chance * trials;
      rare_count += count;
    }
  }
  ASSERT_NEAR(probability, 1, 1e-9) << "the law itself";
  if (rare_expected >= 5) add(rare_count, rare_expected);
  const double freedom = cells - 1;
  ASSERT_GE(freedom, 1);
  // Wilson and Hilferty (1931): the cube root is nearly normal; 4.753 is its quantile at one in a million.
  const double spread = 2 / (9 * freedom);
  EXPECT_LT(statistic, freedom * std::pow(1 - spread + 4.753 * std::sqrt(spread), 3))
      << statistic << " over " << freedom << " degrees of freedom, " << trials << " trials";
}

/// The law of `draws` successive draws among tokens with these weights: with or without replacement, by enumeration.
inline Law law_of_draws(const std::vector<double>& weights, int draws, bool replace) {
  Law law{{{}, 1.0}};
  for (int draw = 0; draw < draws; ++draw) {
    Law longer;
    for (const auto& [drawn, chance] : law) {
      std::vector<double> left = weights;
      if (!replace)
        for (int token : drawn) left[static_cast<std::size_t>(token)] = 0;
      double total = 0;
      for (double weight : left) total += weight;
      for (std::size_t token = 0; token < left.size(); ++token) {
        if (left[token] == 0) continue;
        std::vector<int> next = drawn;
        next.push_back(static_cast<int>(token));
        longer[next] = chance * left[token] / total;
      }
    }
    law = std::move(longer);
  }
  return law;
}

}  // namespace tenfold::test

#pragma once
// Whether draws stay the same where logits differ in last bits.

#include "op_test.hpp"

namespace tenfold::test {

/// Each logit changed by one unit in the last place, up or down.
inline Values with_other_last_bits(Values logits) {
  for (std::size_t v = 0; v < logits.size(); ++v)
    logits[v] =
        std::nextafter(static_cast<float>(logits[v]), (v * 0x9e3779b97f4a7c15U >> 40U) % 2 == 0 ? 1e30F : -1e30F);
  return logits;
}

/// Draws of rows made twice, each row up to its first draw that differs: what follows one has lost another token.
struct DrawAgreement {
  std::int64_t draws = 0, differing = 0;

  void add(const Values& once, const Values& again, std::size_t slots) {
    ASSERT_EQ(once.size(), again.size());
    for (std::size_t n = 0; n < once.size(); n += slots)
      for (std::size_t slot = n; slot < n + slots; ++slot) {
        ++draws;
        if (once[slot] == again[slot]) continue;
        ++differing;
        break;
      }
  }
  /// Allows far more than happens: of 180,000 rows of 4100 logits N(0, 4), nine draws each, 17 first draws in a million
  /// differed and 11 of all draws; with noise of deviation 2e-6 in the logits 44 and 56.
  void expect_near_ties_alone() const { EXPECT_LE(1000 * differing, draws) << differing << " of " << draws; }
};

}  // namespace tenfold::test

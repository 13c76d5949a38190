#include "kernels/dropout.hpp"

#include <algorithm>

#include "op_test.hpp"

namespace tenfold::test {
namespace {

class DropoutTest : public OpTest {};
TENFOLD_F32_AND_BF16(DropoutTest);

constexpr double rate = 0.1;

TEST_P(DropoutTest, KeepsWhatTheContractSays) {
  for (const std::int64_t width : {1, 5, 257, 264, 2500})
    for (const std::vector<std::int64_t>& lengths :
         {std::vector<std::int64_t>{1}, {3, 1, 0}, {0, 17, 4, 0, 1, 33}, {}}) {
      Packing rows = packing(lengths);
      if (!lengths.empty()) rows.samples.back() = 5'000'000'000;
      const kernels::Dropout site = dropout(rate, rows);
      const Tensor x = random_rows(rows, width), y = poisoned({rows.rows, width});
      kernels::dropout_forward(queue_, x, site, y);
      Values expected = filled_rows(read(x), rows);
      const Values factors = dropout_factors(rate, site.key, dropout_step, rows, width);
      for (std::size_t i = 0; i < expected.size(); ++i) expected[i] *= factors[i];
      expect_close(read(y), expected, tolerance());
      kernels::dropout_backward(queue_, x, site, x);
      EXPECT_EQ(read(x), read(y)) << "backward, in place, is the same map";
    }
}

TEST_P(DropoutTest, WithoutARateOnlyRowsOfNoSequenceGo) {
  const Packing rows = packing({2, 0, 3}, 7);
  const Tensor x = random_rows(rows, 9), y = poisoned({7, 9});
  kernels::Dropout site = dropout(0, rows);
  site.step = {};
  kernels::dropout_forward(queue_, x, site, y);
  EXPECT_EQ(read(y), filled_rows(read(x), rows));
}

TEST_P(DropoutTest, ASampleKeepsItsMaskWhereverItLies) {
  const std::int64_t width = 33;
  const auto masked = [&](const Packing& rows, std::int64_t step) {
    const Tensor ones = make({rows.rows, width}, Values(static_cast<std::size_t>(rows.rows * width), 1.0));
    const Tensor y = poisoned(ones.shape());
    kernels::dropout_forward(queue_, ones, dropout(rate, rows, step), y);
    return read(y);
  };
  const Packing rows = packing({4, 1, 19, 7});
  Packing turned = packing({7, 19, 1, 4}, 40);
  std::reverse_copy(rows.samples.begin(), rows.samples.end(), turned.samples.begin());
  const Values among = masked(rows, 7), others = masked(turned, 7);
  for (std::size_t b = 0; b < 4; ++b) {
    const Packing alone = rows.alone(b);
    EXPECT_EQ(rows_of(masked(alone, 7), alone, 0), rows_of(among, rows, b)) << "sequence " << b;
    EXPECT_EQ(rows_of(others, turned, 3 - b), rows_of(among, rows, b)) << "sequence " << b;
  }
  EXPECT_NE(masked(rows, 8), among) << "another step";
}

// Counts of dropped elements in cells of 1000 are binomial: the sum of squared standard scores over 1000 cells is
// chi-square with 1000 degrees of freedom, mean 1000 and deviation 45.
TEST_P(DropoutTest, DropsAtItsRateIndependently) {
  const std::int64_t length = 100, width = 1000, batch = 10;
  const Tensor x = make({batch * length, width}, Values(static_cast<std::size_t>(batch * length * width), 1.0));
  const Tensor y = poisoned({batch * length, width});
  const Packing rows = packing(std::vector<std::int64_t>(batch, length), batch * length);
  kernels::dropout_forward(queue_, x, dropout(rate, rows), y);
  const Values out = read(y);
  const auto chi_square = [&](std::size_t stride_cell, std::size_t stride_element) {
    double sum = 0;
    for (std::size_t cell = 0; cell < 1000; ++cell) {
      double dropped = 0;
      for (std::size_t e = 0; e < 1000; ++e) dropped += out[cell * stride_cell + e * stride_element] == 0 ? 1 : 0;
      sum += (dropped - 1000 * rate) * (dropped - 1000 * rate) / (1000 * rate * (1 - rate));
    }
    return sum;
  };
  EXPECT_NEAR(chi_square(1000, 1), 1000, 5 * 45) << "rows";
  EXPECT_NEAR(chi_square(1, 1000), 1000, 5 * 45) << "columns";
  double pairs = 0;
  for (std::size_t i = 0; i + 1 < out.size(); ++i) pairs += out[i] == 0 && out[i + 1] == 0 ? 1 : 0;
  EXPECT_NEAR(pairs, 1e6 * rate * rate, 5 * std::sqrt(1e6 * rate * rate)) << "neighbours";
}

TEST_P(DropoutTest, RefusesWhatDoesNotFit) {
  const Tensor x = random({6, 4});
  const Packing rows = packing({2, 2, 2}, 6);
  kernels::Dropout site = dropout(rate, rows);
  site.rows.samples = pack(packing({2, 2}, 6)).samples;
  EXPECT_THROW(kernels::dropout_forward(queue_, x, site, x), Error) << "samples";
  EXPECT_THROW(kernels::dropout_forward(queue_, x, dropout(1, rows), x), Error) << "rate 1";
  EXPECT_THROW(kernels::dropout_forward(queue_, x, dropout(0, packing({2, 2}, 5)), x), Error) << "6 rows of 5";
  EXPECT_THROW(kernels::dropout_forward(queue_, x, dropout(0, rows), zeros({6, 5})), Error);
}

TEST_P(DropoutTest, RefusesSequencesThatDoNotLieInTheRows) {
  if (!refuses_contents()) GTEST_SKIP() << "this device does not look";
  const Tensor x = random({6, 4});
  kernels::Dropout site = dropout(rate, packing({2, 2, 2}, 6));
  for (const Values& offsets : {Values{0, 2, 4, 7}, {0, 4, 2, 6}, {1, 2, 4, 6}}) {
    site.rows.offsets = integers(offsets);
    EXPECT_THROW(kernels::dropout_forward(queue_, x, site, x), Error);
  }
}

}  // namespace
}  // namespace tenfold::test

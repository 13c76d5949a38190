#include "kernels/dropout.hpp"

#include "op_test.hpp"

namespace tenfold::test {
namespace {

class DropoutTest : public OpTest {};
TENFOLD_F32_AND_BF16(DropoutTest);

constexpr double rate = 0.1;

TEST_P(DropoutTest, KeepsWhatTheContractSays) {
  struct Case {
    std::int64_t length, width;
  };
  for (const Case& c : {Case{1, 1}, Case{3, 5}, Case{4, 257}, Case{2, 2500}}) {
    const Values samples = {3, 5'000'000'000, 11};
    const kernels::Dropout site = dropout(rate, samples);
    const Tensor lengths = make(DType::i32, {3}, {static_cast<double>(c.length), 1, 0});
    const Tensor x = random({3 * c.length, c.width});
    const Tensor y = poisoned({3 * c.length, c.width});
    kernels::dropout_forward(queue_, x, lengths, site, y);
    const Values valid = read(lengths);
    Values expected = read(x);
    for (std::int64_t b = 0; b < 3; ++b)
      for (std::int64_t e = 0; e < c.length * c.width; ++e) {
        const auto at = static_cast<std::size_t>(b * c.length * c.width + e);
        const auto sample = static_cast<std::size_t>(b);
        expected[at] *= static_cast<double>(e / c.width) < valid[sample]
                            ? dropout_factor(rate, site.key, 7, static_cast<std::int64_t>(samples[sample]), e)
                            : 0;
      }
    expect_close(read(y), expected, tolerance());
    kernels::dropout_backward(queue_, x, lengths, site, x);
    EXPECT_EQ(read(x), read(y)) << "backward, in place, is the same map";
  }
}

TEST_P(DropoutTest, WithoutARateOnlyPaddingGoes) {
  const Tensor x = random({6, 9});
  const Tensor y = poisoned({6, 9});
  kernels::dropout_forward(queue_, x, make(DType::i32, {2}, {2, 3}), {}, y);
  Values expected = read(x);
  std::fill(expected.begin() + 18, expected.begin() + 27, 0.0);
  EXPECT_EQ(read(y), expected);
}

TEST_P(DropoutTest, ASampleKeepsItsMaskInAnyBatch) {
  const std::int64_t length = 4, width = 33;
  const Tensor ones = make({2 * length, width}, Values(2 * length * width, 1.0));
  const Tensor both = poisoned({2 * length, width});
  const Tensor alone = poisoned({length, width});
  const Tensor full = make(DType::i32, {2}, {4, 4});
  kernels::dropout_forward(queue_, ones, full, dropout(rate, {8, 9}), both);
  kernels::dropout_forward(queue_, ones.rows(0, length), full.rows(0, 1), dropout(rate, {9}), alone);
  EXPECT_EQ(read(both.rows(length, length)), read(alone));
  kernels::dropout_forward(queue_, ones.rows(0, length), full.rows(0, 1), dropout(rate, {9}, 8), both.rows(0, length));
  EXPECT_NE(read(both.rows(0, length)), read(alone)) << "another step";
}

// Counts of dropped elements in cells of 1000 are binomial: the sum of squared standard scores over 1000 cells is
// chi-square with 1000 degrees of freedom, mean 1000 and deviation 45.
TEST_P(DropoutTest, DropsAtItsRateIndependently) {
  const std::int64_t length = 100, width = 1000, batch = 10;
  const Tensor x = make({batch * length, width}, Values(static_cast<std::size_t>(batch * length * width), 1.0));
  const Tensor y = poisoned({batch * length, width});
  Values samples;
  for (int b = 0; b < batch; ++b) samples.push_back(b);
  kernels::dropout_forward(queue_, x, make(DType::i32, {batch}, Values(10, 100.0)), dropout(rate, samples), y);
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
  const Tensor lengths = make(DType::i32, {3}, {2, 2, 2});
  EXPECT_THROW(kernels::dropout_forward(queue_, x, lengths, dropout(rate, {1, 2}), x), Error) << "samples";
  EXPECT_THROW(kernels::dropout_forward(queue_, x, lengths, dropout(1, {1, 2, 3}), x), Error) << "rate 1";
  EXPECT_THROW(kernels::dropout_forward(queue_, x, make(DType::i32, {4}, Values(4, 1.0)), {}, x), Error)
      << "6 rows of 4";
  EXPECT_THROW(kernels::dropout_forward(queue_, x, lengths, {}, zeros({6, 5})), Error);
}

}  // namespace
}  // namespace tenfold::test

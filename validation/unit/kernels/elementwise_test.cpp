#include "kernels/elementwise.hpp"

#include <algorithm>
#include <bit>

#include "op_test.hpp"

namespace tenfold::test {
namespace {

class ElementwiseTest : public OpTest {};
TENFOLD_F32(ElementwiseTest);

TEST_P(ElementwiseTest, ConversionRoundsToNearestEven) {
  const auto from_bits = [](std::uint32_t bits) { return static_cast<double>(std::bit_cast<float>(bits)); };
  struct Case {
    std::uint32_t from, to;
  };
  const Case cases[] = {
      {0x3f808000, 0x3f800000},  // tie, even below
      {0x3f818000, 0x3f820000},  // tie, even above
      {0x3f808001, 0x3f810000},  // just above a tie
      {0x3f817fff, 0x3f810000},  // just below
      {0xbf818000, 0xbf820000},  // the same with a sign
      {0x3fff8000, 0x40000000},  // carries into the exponent
      {0x7f7fffff, 0x7f800000},  // the greatest f32 overflows to infinity
      {0x7f800000, 0x7f800000}, {0xff800000, 0xff800000},
      {0x80000000, 0x80000000}, {0x00008000, 0x00000000},  // subnormal tie
      {0x00018000, 0x00020000},
  };
  Values values;
  for (const Case& c : cases) values.push_back(from_bits(c.from));
  const auto count = static_cast<std::int64_t>(values.size());
  const Tensor half = zeros(DType::bf16, {count}), back = zeros(DType::f32, {count});
  kernels::convert(queue_, make(DType::f32, {count}, values), half);
  kernels::convert(queue_, half, back);
  const Values out = read(back);
  for (std::size_t i = 0; i < out.size(); ++i) {
    EXPECT_EQ(out[i], from_bits(cases[i].to)) << std::hex << cases[i].from;
    EXPECT_EQ(std::signbit(out[i]), std::signbit(values[i]));
  }
}

TEST_P(ElementwiseTest, ConversionKeepsEveryNotANumber) {
  std::vector<float> values;
  for (const std::uint32_t bits : {0x7f800001U, 0x7fc00000U, 0x7fffffffU, 0xffffffffU, 0xff800001U})
    values.push_back(std::bit_cast<float>(bits));
  const Tensor source = zeros(DType::f32, {5}), half = zeros(DType::bf16, {5});
  queue_.copy_in(values.data(), source);
  kernels::convert(queue_, source, half);
  for (const double value : read(half)) EXPECT_TRUE(std::isnan(value));
}

TEST_P(ElementwiseTest, ConversionLosesAtMostHalfAUnit) {
  const Tensor source = random(DType::f32, {10'007}), half = zeros(DType::bf16, {10'007});
  kernels::convert(queue_, source, half);
  const Values in = read(source), out = read(half);
  for (std::size_t i = 0; i < in.size(); ++i) ASSERT_LE(std::abs(out[i] - in[i]), std::abs(in[i]) * 0x1p-8);
}

TEST_P(ElementwiseTest, NormalNumbersAreAFunctionOfKeyAndIndex) {
  const Tensor longer = zeros({20'000}), shorter = zeros({9'001}), other = zeros({20'000});
  kernels::fill_normal(queue_, 5, 0, 1, 0, longer);
  kernels::fill_normal(queue_, 5, 0, 1, 0, shorter);
  kernels::fill_normal(queue_, 6, 0, 1, 0, other);
  const Values values = read(longer);
  EXPECT_TRUE(std::equal(values.begin(), values.begin() + 9'001, read(shorter).begin()));
  EXPECT_NEAR(dot(values, read(other)) / 20'000, 0, 5 / std::sqrt(20'000.0)) << "keys are independent";
}

TEST_P(ElementwiseTest, PartsOfNormalNumbersAreThoseOfTheWhole) {
  const Tensor whole = zeros({20'000});
  kernels::fill_normal(queue_, 5, 1, 3, 0, whole);
  const Values values = read(whole);
  for (const std::int64_t first : {1, 2, 3, 255, 8'191, 8'192, 19'999})
    for (const std::int64_t count : {1, 2, 5, 300}) {
      if (first + count > 20'000) continue;
      const Tensor part = zeros({count});
      kernels::fill_normal(queue_, 5, 1, 3, first, part);
      const auto begin = values.begin() + first;
      EXPECT_EQ(read(part), Values(begin, begin + count)) << count << " from " << first;
    }
}

TEST_P(ElementwiseTest, NormalNumbersAreNormal) {
  const std::int64_t count = 400'000;
  const Tensor tensor = zeros({count});
  kernels::fill_normal(queue_, 77, 2, 0.5, 0, tensor);
  Values values = read(tensor);
  const double n = static_cast<double>(count);
  double mean = 0, square = 0, neighbour = 0;
  for (double& value : values) value = (value - 2) / 0.5;
  for (std::size_t i = 0; i < values.size(); ++i) {
    mean += values[i] / n;
    square += values[i] * values[i] / n;
    if (i > 0) neighbour += values[i] * values[i - 1] / n;
  }
  EXPECT_NEAR(mean, 0, 5 / std::sqrt(n));
  EXPECT_NEAR(square, 1, 5 * std::sqrt(2 / n));
  EXPECT_NEAR(neighbour, 0, 5 / std::sqrt(n));
  std::sort(values.begin(), values.end());  // Kolmogorov and Smirnov: sup |F_n - F| sqrt(n) < 1.95 with p = 0.999
  double distance = 0;
  for (std::size_t i = 0; i < values.size(); ++i)
    distance =
        std::max(distance, std::abs((static_cast<double>(i) + 0.5) / n - std::erfc(-values[i] / std::sqrt(2.0)) / 2));
  EXPECT_LT(distance * std::sqrt(n), 1.95);
}

TEST_P(ElementwiseTest, FillAndSum) {
  const Tensor values = zeros({3, 30'011}), sum = make(DType::f64, {1}, {1000});
  kernels::fill(queue_, 0.25F, values);
  kernels::add_sum(queue_, values, sum);
  EXPECT_EQ(read(sum)[0], 1000 + 0.25 * 3 * 30'011);
  kernels::add_sum(queue_, make(DType::i32, {3}, {2'000'000'000, 2'000'000'000, -5}), sum);
  EXPECT_EQ(read(sum)[0], 1000 + 0.25 * 3 * 30'011 + 3'999'999'995.0);
  kernels::add_sum(queue_, make({2}, {1, NAN}), sum);
  EXPECT_TRUE(std::isnan(read(sum)[0]));
}

TEST_P(ElementwiseTest, AddsEitherTypeInF32) {
  for (const DType type : {DType::f32, DType::bf16})
    for (const std::int64_t count : {1, 5, 257, 20'011}) {
      const Tensor total = random({count}), values = random(type, {count});
      const Values expected = sum(read(total), read(values));
      kernels::add(queue_, values, total);
      expect_close(read(total), expected, 0x1p-24, text(name_of(type), ", ", count));
    }
}

TEST_P(ElementwiseTest, RefusesWhatDoesNotFit) {
  const Tensor a = zeros({3});
  EXPECT_THROW(kernels::convert(queue_, a, zeros(DType::bf16, {4})), Error);
  EXPECT_THROW(kernels::convert(queue_, a, zeros(DType::i32, {3})), Error);
  EXPECT_THROW(kernels::add_sum(queue_, a, zeros(DType::f32, {1})), Error);
  EXPECT_THROW(kernels::add(queue_, zeros({4}), a), Error);
  EXPECT_THROW(kernels::add(queue_, a, zeros(DType::bf16, {3})), Error);
}

}  // namespace
}  // namespace tenfold::test

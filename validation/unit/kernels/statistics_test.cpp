#include "kernels/statistics.hpp"

#include "op_test.hpp"

namespace tenfold::test {
namespace {

class StatisticsTest : public OpTest {};
TENFOLD_F32(StatisticsTest);

TEST_P(StatisticsTest, JointCountsAddUpPairs) {
  const Values first{0, 1, 1, 0, 1, 0, 0}, second{0, 1, 9, 2, 0, 0, 1};
  const Tensor sums = make(DType::f64, {6}, {10, 0, 0, 0, 0, 0});
  kernels::add_joint_counts(queue_, make(DType::i32, {7}, first), make(DType::i32, {7}, second), sums);
  Values expected{10, 0, 0, 0, 0, 0};
  for (std::size_t i = 0; i < first.size(); ++i)
    expected[static_cast<std::size_t>(3 * first[i] + std::min(second[i], 2.0))] += 1;
  EXPECT_EQ(read(sums), expected);
}

TEST_P(StatisticsTest, JointCountsOfManyPairs) {
  constexpr std::int64_t pairs = 1501;
  Values first, second, expected(6);
  for (std::int64_t n = 0; n < pairs; ++n) {
    first.push_back(static_cast<double>(n * n % 7 % 2));
    second.push_back(static_cast<double>(n % 5));
    expected[static_cast<std::size_t>(3 * first.back() + std::min(second.back(), 2.0))] += 1;
  }
  const Tensor sums = zeros(DType::f64, {6});
  kernels::add_joint_counts(queue_, integers(first), integers(second), sums);
  EXPECT_EQ(read(sums), expected);
}

// Rows that are and are not aligned, and longer than a block of a GPU reads at once.
TEST_P(StatisticsTest, LabelRanksOfLongRows) {
  for (const std::int64_t vocabulary : {2504, 4099}) {
    Values logits;
    for (const std::int64_t step : {1, 3, 7})  // no multiple: each row holds 0 .. vocabulary - 1 in another order
      for (std::int64_t v = 0; v < vocabulary; ++v) logits.push_back(static_cast<double>(v * step % vocabulary));
    const Tensor sum = zeros(DType::f64, {1});
    const std::int64_t label = vocabulary - 1;
    kernels::add_label_ranks(queue_, make(DType::f32, {3, vocabulary}, logits),
                             integers(Values(3, static_cast<double>(label))), 0, integers({3}), sum);
    double expected = 0;
    for (const std::int64_t step : {1, 3, 7}) expected += static_cast<double>(vocabulary - label * step % vocabulary);
    EXPECT_EQ(read(sum)[0], expected);
  }
}

TEST_P(StatisticsTest, LabelRanksCountTheGreaterLogitsOfValidRows) {
  constexpr std::int64_t rows = 7, vocabulary = 37;
  const Tensor logits = random(DType::f32, {rows, vocabulary});
  const Values values = read(logits);
  Values labels;
  for (std::int64_t r = 0; r < rows; ++r) labels.push_back(static_cast<double>(r * 5 % vocabulary));
  const auto rank_of = [&](std::int64_t r) {
    const auto row = values.begin() + r * vocabulary;
    const double label = row[static_cast<std::int64_t>(labels[static_cast<std::size_t>(r)])];
    return 1.0 + static_cast<double>(std::count_if(row, row + vocabulary, [&](double v) { return v > label; }));
  };
  for (const std::int64_t first : {0, 3}) {  // rows before this block
    for (const std::int64_t count : {0, 4, 7, 40}) {
      double expected = 0.5;  // it adds
      for (std::int64_t r = 0; r < std::clamp<std::int64_t>(count - first, 0, rows); ++r) expected += rank_of(r);
      const Tensor sum = make(DType::f64, {1}, {0.5});
      kernels::add_label_ranks(queue_, logits, make(DType::i32, {rows}, labels), first,
                               make(DType::i32, {1}, {static_cast<double>(count)}), sum);
      EXPECT_EQ(read(sum)[0], expected) << first << " " << count;
    }
  }
}

}  // namespace
}  // namespace tenfold::test

#include "kernels/sample_tokens.hpp"

#include <algorithm>
#include <numeric>

#include "chi_square.hpp"
#include "op_test.hpp"

namespace tenfold::test {
namespace {

class SampleTokensTest : public OpTest {
 protected:
  kernels::Draws draws(const Values& samples, std::int64_t length, double step = 3) {
    return {stream_key(1, "sampling"), make(DType::i64, {1}, {step}),
            make(DType::i64, {static_cast<std::int64_t>(samples.size())}, samples), length};
  }
  Values sample(const Tensor& logits, const Values& rows, double count, const Values& excluded,
                const kernels::Draws& keys, std::int64_t first = 0) {
    const Tensor tokens = make(DType::i32, {logits[0]}, Values(rows.size(), 99));
    kernels::sample_tokens(queue_, logits, make(DType::i32, {logits[0]}, rows), first, make(DType::i32, {1}, {count}),
                           make(DType::i32, {static_cast<std::int64_t>(excluded.size())}, excluded), keys, tokens);
    return read(tokens);
  }
  Values range(std::int64_t count) {
    Values values(static_cast<std::size_t>(count));
    std::iota(values.begin(), values.end(), 0.0);
    return values;
  }
  /// The same row over and over, over `steps` calls.
  Counts count_draws(const Values& row, const Values& excluded, int steps) {
    const std::int64_t batch = 32, length = 128;
    Values all;
    for (std::int64_t n = 0; n < batch * length; ++n) all.insert(all.end(), row.begin(), row.end());
    const Tensor logits = make(DType::f32, {batch * length, static_cast<std::int64_t>(row.size())}, all);
    Counts counts;
    for (int step = 0; step < steps; ++step)
      for (double token : sample(logits, range(batch * length), 4096, excluded, draws(range(batch), length, step)))
        ++counts[{static_cast<int>(token)}];
    return counts;
  }
};
INSTANTIATE_TEST_SUITE_P(Storage, SampleTokensTest, ::testing::Values(DType::f32), storage_name);

TEST_P(SampleTokensTest, FollowsTheSoftmaxWithoutTheExcluded) {
  const Values logits{1, -0.5, 3, 0.2, 2.9, -4, 0};
  std::vector<double> weights;
  for (double logit : logits) weights.push_back(std::exp(logit));
  expect_law(count_draws(logits, {}, 4), law_of_draws(weights, 1, true));
  weights[2] = weights[6] = 0;
  expect_law(count_draws(logits, {2, 6}, 4), law_of_draws(weights, 1, true));
}

// A method that takes weights for their bounds by straight lines between powers of two would be off by 6 % here.
TEST_P(SampleTokensTest, WeightsBetweenPowersOfTwoGetTheirShareAndNoMore) {
  expect_law(count_draws({0, std::log(1.36), std::log(2), std::log(2.72)}, {}, 64),
             law_of_draws({1, 1.36, 2, 2.72}, 1, true));
}

TEST_P(SampleTokensTest, FollowsTheSoftmaxOverALargeVocabulary) {
  for (std::int64_t vocabulary : {255, 256, 257, 5000}) {
    const Values logits = normal(vocabulary, 1.5);
    std::vector<double> weights;
    for (double logit : logits) weights.push_back(std::exp(static_cast<float>(logit)));
    weights[7] = 0;
    expect_law(count_draws(logits, {7}, 4), law_of_draws(weights, 1, true));
  }
}

TEST_P(SampleTokensTest, AShiftOfAllLogitsLeavesTheLaw) {
  for (double shift : {-4096.0, 4096.0, 131072.0})
    expect_law(count_draws({shift, shift + 1, shift + 2}, {}, 2),
               law_of_draws({1, std::exp(1.0), std::exp(2.0)}, 1, true));
}

TEST_P(SampleTokensTest, ADrawBelongsToItsSampleAndPositionWhereverTheyLie) {
  const std::int64_t length = 16, vocabulary = 600;
  const Tensor logits = random(DType::f32, {48, vocabulary});
  const Values whole = sample(logits, range(48), 48, {}, draws({10, 11, 12}, length));
  const Values x = read(logits);
  for (std::size_t n : {0U, 17U, 40U, 47U}) {
    const auto begin = x.begin() + static_cast<std::ptrdiff_t>(n * vocabulary);
    const Tensor row = make(DType::f32, {1, vocabulary}, Values(begin, begin + vocabulary));
    const double sample_index = 10 + static_cast<double>(n / length), t = static_cast<double>(n % length);
    EXPECT_EQ(sample(row, {t}, 1, {}, draws({sample_index}, length)), Values{whole[n]});
    EXPECT_EQ(sample(row, {t + 2.0 * length}, 1, {}, draws({3, 4, sample_index}, length)), Values{whole[n]});
  }
}

TEST_P(SampleTokensTest, DrawsDifferBetweenPositionsSamplesAndSteps) {
  const Tensor logits = zeros(DType::f32, {64, 5000});
  const Values drawn = sample(logits, range(64), 64, {}, draws({1, 2}, 32));
  std::vector<double> distinct(drawn);
  std::sort(distinct.begin(), distinct.end());
  distinct.erase(std::unique(distinct.begin(), distinct.end()), distinct.end());
  EXPECT_GT(distinct.size(), 60U);
  EXPECT_NE(sample(logits, range(64), 64, {}, draws({1, 2}, 32, 4)), drawn);
}

TEST_P(SampleTokensTest, ChunksOfRowsGiveWhatTheWholeGives) {
  const Tensor logits = random(DType::f32, {40, 300});
  const kernels::Draws keys = draws({1, 2, 3, 4}, 10);
  const Values whole = sample(logits, range(40), 33, {}, keys);
  const Values chunk =
      sample(logits.rows(20, 20),
             Values{20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39}, 33, {}, keys, 20);
  for (std::size_t r = 0; r < 20; ++r) {
    EXPECT_EQ(chunk[r], whole[20 + r]);
    EXPECT_EQ(chunk[r] == -1, r >= 13) << "rows beyond the count";
  }
}

TEST_P(SampleTokensTest, RowsThatAreNotFiniteEnd) {
  const Tensor logits = make(DType::f32, {3, 2}, {NAN, NAN, INFINITY, 1, 0, NAN});
  EXPECT_EQ(sample(logits, {0, 1, 2}, 3, {}, draws({1}, 3)), (Values{-1, -1, 0}));
}

TEST_P(SampleTokensTest, RefusesWhatDoesNotFit) {
  const Tensor logits = random(DType::f32, {2, 3});
  EXPECT_THROW(sample(logits, {0, 4}, 2, {}, draws({1, 2}, 2)), Error) << "row 4 of 4";
  EXPECT_THROW(sample(logits, {0, 1}, 2, {3}, draws({1, 2}, 2)), Error) << "token 3 of 3";
}

}  // namespace
}  // namespace tenfold::test

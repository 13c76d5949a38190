#include "kernels/sample_tokens.hpp"

#include <algorithm>
#include <numeric>

#include "chi_square.hpp"
#include "draw_agreement.hpp"
#include "host_twin.hpp"

namespace tenfold::test {
namespace {

class SampleTokensTest : public OpTest {
 protected:
  kernels::Draws draws(const Packing& packing, double step = 3) {
    return {pack(packing), stream_key(1, "sampling"), scalar(DType::i64, step)};
  }
  Values sample(const Tensor& logits, const Values& places, double count, const Values& excluded,
                const kernels::Draws& keys, std::int64_t first = 0) {
    const Tensor tokens = poisoned(DType::i32, {logits[0]});
    kernels::sample_tokens(queue_, logits, integers(places), first, integers({count}), integers(excluded), keys,
                           tokens);
    return tokens.elements() == 0 ? Values{} : read(tokens);
  }
  Values range(std::int64_t count) {
    Values values(static_cast<std::size_t>(count));
    std::iota(values.begin(), values.end(), 0.0);
    return values;
  }
  /// Few trials do where the host is known to draw the same.
  static bool like_the_host() { return GetParam().device != DeviceKind::host; }
  /// The same row over and over, over `steps` calls.
  Counts count_draws(const Values& row, const Values& excluded, int steps) {
    const std::int64_t batch = like_the_host() ? 4 : 32, length = 128;
    if (like_the_host()) steps = 1;
    Values all;
    for (std::int64_t n = 0; n < batch * length; ++n) all.insert(all.end(), row.begin(), row.end());
    const Tensor logits = make(DType::f32, {batch * length, static_cast<std::int64_t>(row.size())}, all);
    Counts counts;
    for (int step = 0; step < steps; ++step)
      for (double token : sample(logits, range(batch * length), static_cast<double>(batch * length), excluded,
                                 draws(packing(std::vector<std::int64_t>(batch, length)), step)))
        ++counts[{static_cast<int>(token)}];
    return counts;
  }
};
TENFOLD_F32(SampleTokensTest);

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
  if (like_the_host()) GTEST_SKIP() << "few trials do not tell";
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
  const std::int64_t vocabulary = 600;
  const Packing rows = packing({16, 0, 3, 29});
  const Tensor logits = random(DType::f32, {48, vocabulary});
  const Values whole = sample(logits, range(48), 48, {}, draws(rows));
  const std::vector<Packing::Place> places = rows.places();
  for (std::size_t n : {0U, 15U, 16U, 18U, 19U, 40U, 47U}) {
    const Tensor row = logits.rows(static_cast<std::int64_t>(n), 1);
    const auto t = static_cast<double>(places[n].position);
    Packing alone = rows.alone(places[n].sequence);
    EXPECT_EQ(sample(row, {t}, 1, {}, draws(alone)), Values{whole[n]}) << "row " << n;
    alone.lengths.insert(alone.lengths.begin(), {7, 0, 50});
    alone.samples.insert(alone.samples.begin(), {3, 4, 5});
    alone.rows = 120;
    EXPECT_EQ(sample(row, {t + 57}, 1, {}, draws(alone)), Values{whole[n]}) << "row " << n;
  }
}

TEST_P(SampleTokensTest, DrawsDifferBetweenPositionsSamplesAndSteps) {
  const Tensor logits = zeros(DType::f32, {64, 5000});
  const Packing rows = packing({32, 32});
  const Values drawn = sample(logits, range(64), 64, {}, draws(rows));
  std::vector<double> distinct(drawn);
  std::sort(distinct.begin(), distinct.end());
  distinct.erase(std::unique(distinct.begin(), distinct.end()), distinct.end());
  EXPECT_GT(distinct.size(), 60U);
  EXPECT_NE(sample(logits, range(64), 64, {}, draws(rows, 4)), drawn);
}

TEST_P(SampleTokensTest, ChunksOfRowsGiveWhatTheWholeGives) {
  const Tensor logits = random(DType::f32, {40, 300});
  const kernels::Draws keys = draws(packing({10, 3, 0, 27}));
  const Values whole = sample(logits, range(40), 33, {}, keys), all = range(40);
  const Values chunk = sample(logits.rows(20, 20), Values(all.begin() + 20, all.end()), 33, {}, keys, 20);
  for (std::size_t r = 0; r < 20; ++r) {
    EXPECT_EQ(chunk[r], whole[20 + r]);
    EXPECT_EQ(chunk[r] == -1, r >= 13) << "rows beyond the count";
  }
}

// One row, rows of less and of more than whole blocks, more blocks than a warp has threads, and than usual.
TEST_P(SampleTokensTest, EveryDeviceDrawsWhatTheHostDraws) {
  if (!like_the_host()) GTEST_SKIP() << "this is the host";
  HostTwin twin(queue_);
  for (std::int64_t vocabulary : {1, 2, 16, 255, 256, 257, 4100, 70000})
    for (const Packing& rows : {packing({1}), packing({0, 60, 3, 17})}) {
      if (vocabulary > 5000 && rows.filled() > 1) continue;  // on the CPU that would take long
      const Tensor logits = random(DType::f32, {rows.filled(), vocabulary}, vocabulary > 300 ? 1 : 3);
      const Values excluded = vocabulary < 16 ? Values{} : Values{0, 3, static_cast<double>(vocabulary - 1)};
      const kernels::Draws keys = draws(rows);
      const Values drawn = sample(logits, range(rows.filled()), static_cast<double>(rows.filled()), excluded, keys);
      const Tensor tokens = twin(poisoned(DType::i32, {rows.filled()}));
      kernels::sample_tokens(twin.queue(), twin(logits), twin(integers(range(rows.filled()))), 0,
                             twin(integers({static_cast<double>(rows.filled())})), twin(integers(excluded)),
                             {twin(keys.rows), keys.key, twin(keys.step)}, tokens);
      EXPECT_EQ(drawn, Values(tokens.data<std::int32_t>(), tokens.data<std::int32_t>() + rows.filled()))
          << vocabulary << " tokens, " << rows.filled() << " rows";
    }
}

TEST_P(SampleTokensTest, LastBitsOfLogitsMoveNoDrawsButNearTies) {
  if (like_the_host()) GTEST_SKIP() << "few trials do not tell";
  DrawAgreement agreement;
  for (std::int64_t vocabulary : {200, 1500}) {
    const std::int64_t count = 2048;
    const Values logits = normal(count * vocabulary, 2);
    const kernels::Draws keys = draws(packing(std::vector<std::int64_t>(16, 128)));
    const auto drawn = [&](const Values& values) {
      return sample(make(DType::f32, {count, vocabulary}, values), range(count), static_cast<double>(count), {}, keys);
    };
    agreement.add(drawn(logits), drawn(with_other_last_bits(logits)), 1);
  }
  agreement.expect_near_ties_alone();
}

TEST_P(SampleTokensTest, TheOnlyTokenThatIsNotExcludedIsDrawnAndNoneIfAllAre) {
  const std::int64_t vocabulary = 300;
  const Tensor logits = random(DType::f32, {4, vocabulary});
  Values excluded = range(vocabulary);
  excluded.erase(excluded.begin() + 258);
  EXPECT_EQ(sample(logits, range(4), 4, excluded, draws(packing({4}))), Values(4, 258));
  EXPECT_EQ(sample(logits, range(4), 4, range(vocabulary), draws(packing({4}))), Values(4, -1));
}

TEST_P(SampleTokensTest, NoRowsAndNoValidRows) {
  const kernels::Draws keys = draws(packing({3}));
  EXPECT_EQ(sample(random(DType::f32, {0, 5}), {}, 0, {}, keys), Values{});
  EXPECT_EQ(sample(random(DType::f32, {3, 5}), range(3), 0, {}, keys), Values(3, -1));
}

TEST_P(SampleTokensTest, RowsThatAreNotFiniteEnd) {
  const Tensor logits = make(DType::f32, {3, 2}, {NAN, NAN, INFINITY, 1, 0, NAN});
  EXPECT_EQ(sample(logits, {0, 1, 2}, 3, {}, draws(packing({3}, 3))), (Values{-1, -1, 0}));
}

TEST_P(SampleTokensTest, RefusesWhatDoesNotFit) {
  if (!refuses_contents()) GTEST_SKIP() << "this device does not look";
  const Tensor logits = random(DType::f32, {2, 3});
  EXPECT_THROW(sample(logits, {0, 6}, 2, {}, draws(packing({2, 2}, 6))), Error) << "row 6 of 6";
  EXPECT_THROW(sample(logits, {0, 4}, 2, {}, draws(packing({2, 2}, 6))), Error) << "a row of no sequence";
  EXPECT_THROW(sample(logits, {0, 1}, 2, {3}, draws(packing({2, 2}, 6))), Error) << "token 3 of 3";
}

}  // namespace
}  // namespace tenfold::test

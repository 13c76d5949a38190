#include "kernels/replaced_tokens.hpp"

#include "op_test.hpp"

namespace tenfold::test {
namespace {

class ReplacedTokensTest : public OpTest {
 protected:
  struct Result {
    Values losses, predicted, dhidden, dw, db;
  };
  /// dw and db start at `before`.
  Result run(const Tensor& hidden, const Tensor& w, double b, const Values& replaced, const Packing& packing,
             double weight, double before = 0) {
    const std::int64_t rows = hidden[0], width = hidden[1];
    const Tensor losses = poisoned(DType::f32, {rows}), predicted = poisoned(DType::i32, {rows});
    const Tensor dhidden = poisoned(hidden.shape()),
                 dw = make(DType::f32, {width}, Values(static_cast<std::size_t>(width), before)),
                 db = make(DType::f32, {1}, {before});
    kernels::replaced_token_loss(queue_, hidden, pack(packing), w, scalar(DType::f32, b), integers(replaced),
                                 scalar(DType::f32, weight), losses, predicted, dhidden, dw, db);
    return {read(losses), read(predicted), read(dhidden), read(dw), read(db)};
  }
};
TENFOLD_F32_AND_BF16(ReplacedTokensTest);

TEST_P(ReplacedTokensTest, CorruptionPutsTheDrawsAtTheirRowsAndMarksWhatChanged) {
  const Tensor corrupted = poisoned(DType::i32, {6}), replaced = poisoned(DType::i32, {6});
  kernels::corrupt_tokens(queue_, make(DType::i32, {6}, {10, 11, 12, 13, 14, 15}),
                          make(DType::i32, {5}, {4, 1, 2, 0, -3}), make(DType::i32, {5}, {40, 11, 20, -1, 7}),
                          make(DType::i32, {1}, {4}), corrupted, replaced);
  EXPECT_EQ(read(corrupted), (Values{10, 11, 20, 13, 40, 15}));
  EXPECT_EQ(read(replaced), (Values{0, 0, 1, 0, 1, 0}));
}

TEST_P(ReplacedTokensTest, CorruptionRefusesRowsThatAreNotThere) {
  if (!refuses_contents()) GTEST_SKIP() << "this device does not look";
  const Tensor tokens = integers({1, 2}), out = zeros(DType::i32, {2}), row = integers({2}), draw = integers({7});
  EXPECT_THROW(kernels::corrupt_tokens(queue_, tokens, row, draw, integers({1}), out, out), Error);
  EXPECT_THROW(kernels::corrupt_tokens(queue_, tokens, row, draw, integers({2}), out, out), Error);
}

TEST_P(ReplacedTokensTest, LossAndGradients) {
  for (std::int64_t width : {1, 7, 257, 1032}) {
    const Packing packed = packing({50, 0, 31, 1, 17});
    const Tensor hidden = random_rows(packed, width), w = random(DType::f32, {width}, 0.3);
    const double b = 0.25, weight = 0.11;
    Values replaced;
    for (std::int64_t n = 0; n < packed.rows; ++n) replaced.push_back(n % 3 == 0 ? 1 : 0);
    const Values x = read(hidden), v = read(w);
    const auto d = static_cast<std::size_t>(width);
    const auto score = [&](std::size_t n) {
      double sum = b;
      for (std::size_t c = 0; c < d; ++c) sum += x[n * d + c] * v[c];
      return sum;
    };
    const auto real = [&](std::size_t n) { return static_cast<std::int64_t>(n) < packed.filled(); };
    const auto loss = [&](std::size_t n, double s) {  // cross entropy with the logistic probability of "replaced"
      return -std::log(replaced[n] != 0 ? 1 / (1 + std::exp(-s)) : 1 / (1 + std::exp(s)));
    };
    Values losses, predicted, dhidden(x.size()), dw(d), db(1);
    for (std::size_t n = 0; n < replaced.size(); ++n) {
      losses.push_back(real(n) ? loss(n, score(n)) : 0);
      predicted.push_back(real(n) && score(n) > 0 ? 1 : 0);
      if (!real(n)) continue;
      const double slope = weight * finite_difference([&](const Values& s) { return loss(n, s[0]); }, {score(n)})[0];
      for (std::size_t c = 0; c < d; ++c) {
        dhidden[n * d + c] = slope * v[c];
        dw[c] += slope * x[n * d + c];
      }
      db[0] += slope;
    }
    const Result result = run(hidden, w, b, replaced, packed, weight);
    expect_close(result.losses, losses, 4e-6, "losses");
    EXPECT_EQ(result.predicted, predicted);
    expect_close(result.dhidden, dhidden, tolerance() * 2, "dhidden");
    expect_close(result.dw, dw, 1e-5, "dw");
    expect_close(result.db, db, 1e-5, "db");
  }
}

// Bit for bit: what else is in the batch and where a sequence lies in it do not matter.
TEST_P(ReplacedTokensTest, ASequenceIsTheSameAloneAndAmongOthers) {
  const std::int64_t width = 37;
  const Packing packed = packing({40, 1, 0, 67, 16});
  const Tensor hidden = random_rows(packed, width), w = random(DType::f32, {width}, 0.3);
  Values replaced;
  for (std::int64_t n = 0; n < packed.rows; ++n) replaced.push_back(n % 3 == 0 ? 1 : 0);
  const Result among = run(hidden, w, 0.25, replaced, packed, 0.11);
  for (std::size_t b = 0; b < packed.lengths.size(); ++b) {
    Packing alone = packed.alone(b);
    alone.rows = packed.lengths[b];
    if (alone.rows == 0) continue;
    const Result own =
        run(hidden.rows(packed.begin(b), alone.rows), w, 0.25, rows_of(replaced, packed, b), alone, 0.11);
    EXPECT_EQ(own.losses, rows_of(among.losses, packed, b)) << "sequence " << b;
    EXPECT_EQ(own.predicted, rows_of(among.predicted, packed, b)) << "sequence " << b;
    EXPECT_EQ(own.dhidden, rows_of(among.dhidden, packed, b)) << "sequence " << b;
  }
}

TEST_P(ReplacedTokensTest, CertaintyCostsItsDistanceOrNothing) {
  const Tensor hidden = make({4, 1}, {512, -512, -512, 512});
  const Result result = run(hidden, make(DType::f32, {1}, {2}), 0, {1, 0, 1, 0}, packing({4}, 4), 1);
  EXPECT_EQ(result.losses, (Values{0, 0, 1024, 1024}));
  EXPECT_EQ(result.predicted, (Values{1, 0, 0, 1}));
  EXPECT_EQ(result.dhidden, (Values{0, 0, -2, 2}));
}

TEST_P(ReplacedTokensTest, GradientsOfTheHeadAreAdded) {
  const Tensor hidden = random({200, 9}), w = random(DType::f32, {9});
  const Values replaced(200, 1.0);
  const Result zero = run(hidden, w, 0, replaced, packing({100, 100}, 200), 0.01),
               one = run(hidden, w, 0, replaced, packing({100, 100}, 200), 0.01, 1);
  for (std::size_t c = 0; c < 9; ++c) EXPECT_NEAR(one.dw[c], zero.dw[c] + 1, 1e-6);
  EXPECT_NEAR(one.db[0], zero.db[0] + 1, 1e-6);
}

TEST_P(ReplacedTokensTest, WithoutGradientsTheLossIsTheSame) {
  const Tensor hidden = random({5, 9}), w = random(DType::f32, {9});
  const Tensor losses = poisoned(DType::f32, {5}), predicted = zeros(DType::i32, {5});
  const Packing packed = packing({4}, 5);
  kernels::replaced_token_loss(queue_, hidden, pack(packed), w, scalar(DType::f32, 0.5), integers({1, 0, 0, 1, 0}),
                               scalar(DType::f32, 1), losses, predicted, {}, {}, {});
  const Result whole = run(hidden, w, 0.5, {1, 0, 0, 1, 0}, packed, 1);
  EXPECT_EQ(read(losses), whole.losses);
  EXPECT_EQ(read(predicted), whole.predicted);
}

TEST_P(ReplacedTokensTest, AScoreThatIsNotFiniteShowsInItsLossOnly) {
  const Result result = run(make({3, 1}, {1, NAN, 2}), make(DType::f32, {1}, {1}), 0, {0, 1, 1}, packing({3}, 3), 1);
  EXPECT_TRUE(std::isfinite(result.losses[0]) && std::isfinite(result.losses[2]));
  EXPECT_TRUE(std::isnan(result.losses[1]) && std::isnan(result.dhidden[1]) && std::isnan(result.dw[0]));
}

}  // namespace
}  // namespace tenfold::test

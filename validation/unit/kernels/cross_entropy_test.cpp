#include "kernels/cross_entropy.hpp"

#include "op_test.hpp"

namespace tenfold::test {
namespace {

/// The parameter is the type of dlogits; logits are f32.
class CrossEntropyTest : public OpTest {
 protected:
  struct Result {
    Values losses, correct, dlogits;
  };
  Result run(const Tensor& logits, const Values& labels, std::int64_t first, double count, double weight) {
    const std::int64_t rows = logits[0];
    const Tensor losses = poisoned(DType::f32, {rows}), correct = make(DType::i32, {rows}, Values(labels.size(), 9.0));
    const Tensor dlogits = poisoned(logits.shape());
    kernels::softmax_cross_entropy(queue_, logits, make(DType::i32, {rows}, labels), first,
                                   make(DType::i32, {1}, {count}), make(DType::f32, {1}, {weight}), losses, correct,
                                   dlogits);
    return {read(losses), read(correct), read(dlogits)};
  }
};
TENFOLD_F32_AND_BF16(CrossEntropyTest);

double loss_of(const Values& logits, std::size_t row, std::size_t vocabulary, std::size_t label) {
  double sum = 0;
  for (std::size_t v = 0; v < vocabulary; ++v) sum += std::exp(logits[row * vocabulary + v]);
  return std::log(sum) - logits[row * vocabulary + label];
}

TEST_P(CrossEntropyTest, LossAndGradientOfEachRow) {
  for (std::int64_t vocabulary : {1, 2, 7, 257, 4000}) {
    const std::int64_t rows = 5;
    const Tensor logits = random(DType::f32, {rows, vocabulary}, 3);
    Values labels;
    for (std::int64_t r = 0; r < rows; ++r) labels.push_back(static_cast<double>(r * 31 % vocabulary));
    const double weight = 0.037;
    const Result result = run(logits, labels, 0, 5, weight);
    const Values x = read(logits);
    const auto v = static_cast<std::size_t>(vocabulary);
    Values losses, gradient(x.size());
    for (std::size_t r = 0; r < labels.size(); ++r) {
      const auto label = static_cast<std::size_t>(labels[r]);
      losses.push_back(loss_of(x, r, v, label));
      const Values row(x.begin() + static_cast<std::ptrdiff_t>(r * v),
                       x.begin() + static_cast<std::ptrdiff_t>((r + 1) * v));
      if (vocabulary > 300) continue;  // differences are quadratic work; the law below covers large rows
      const Values slope =
          finite_difference([&](const Values& point) { return weight * loss_of(point, 0, v, label); }, row);
      std::copy(slope.begin(), slope.end(), gradient.begin() + static_cast<std::ptrdiff_t>(r * v));
    }
    expect_close(result.losses, losses, 2e-6, "losses");
    for (std::size_t r = 0; r < labels.size(); ++r) {
      const auto begin = x.begin() + static_cast<std::ptrdiff_t>(r * v);
      const bool greatest =
          *std::max_element(begin, begin + vocabulary) == x[r * v + static_cast<std::size_t>(labels[r])];
      EXPECT_EQ(result.correct[r], greatest ? 1 : 0);
    }
    if (vocabulary == 1) {
      for (double value : result.dlogits) EXPECT_NEAR(value, 0, 1e-9);
    } else if (vocabulary <= 300) {
      expect_close(result.dlogits, gradient, tolerance(), "dlogits");
    }
  }
}

TEST_P(CrossEntropyTest, ThroughALargeVocabularyTheGradientSumsToZero) {
  const std::int64_t vocabulary = 30'011;
  const Tensor logits = random(DType::f32, {2, vocabulary});
  const Result result = run(logits, {0, 30'010}, 0, 2, 1);
  expect_close(result.losses, {loss_of(read(logits), 0, 30'011, 0), loss_of(read(logits), 1, 30'011, 30'010)}, 2e-6);
  for (std::size_t r = 0; r < 2; ++r) {
    const Values row(result.dlogits.begin() + static_cast<std::ptrdiff_t>(r) * vocabulary,
                     result.dlogits.begin() + static_cast<std::ptrdiff_t>(r + 1) * vocabulary);
    EXPECT_NEAR(dot(row, Values(row.size(), 1.0)), 0, storage() == DType::bf16 ? 1e-2 : 1e-5);
  }
}

TEST_P(CrossEntropyTest, RowsBeyondTheCountWeighNothing) {
  const Tensor logits = random(DType::f32, {4, 7});
  const Result part = run(logits, {1, 2, -5, 99}, 10, 12, 0.5);
  const Result whole = run(logits, {1, 2, 3, 4}, 0, 4, 0.5);
  for (std::size_t r = 0; r < 4; ++r) {
    EXPECT_EQ(part.losses[r], r < 2 ? whole.losses[r] : 0);
    EXPECT_EQ(part.correct[r], r < 2 ? whole.correct[r] : 0);
    for (std::size_t v = 0; v < 7; ++v) EXPECT_EQ(part.dlogits[r * 7 + v], r < 2 ? whole.dlogits[r * 7 + v] : 0);
  }
  for (double loss : run(logits, {1, 2, 3, 4}, 20, 12, 0.5).losses) EXPECT_EQ(loss, 0) << "first beyond the count";
}

TEST_P(CrossEntropyTest, AShiftOfAllLogitsChangesNothingEvenWhenLarge) {
  const Tensor logits = make(DType::f32, {1, 4}, {1, 2, 3, 4}),
               shifted = make(DType::f32, {1, 4}, {1e6 + 1, 1e6 + 2, 1e6 + 3, 1e6 + 4});
  EXPECT_EQ(run(logits, {2}, 0, 1, 1).losses, run(shifted, {2}, 0, 1, 1).losses);
  EXPECT_EQ(run(logits, {2}, 0, 1, 1).dlogits, run(shifted, {2}, 0, 1, 1).dlogits);
}

TEST_P(CrossEntropyTest, AHopelessLogitCostsItsDistance) {
  const Result result = run(make(DType::f32, {1, 3}, {1000, -1000, 0}), {1}, 0, 1, 1);
  expect_close(result.losses, {2000}, 1e-6);
  expect_close(result.dlogits, {1, -1, 0}, 1e-6);
}

TEST_P(CrossEntropyTest, WithoutAGradientTheLossIsTheSame) {
  const Tensor logits = random(DType::f32, {3, 11});
  const Tensor losses = poisoned(DType::f32, {3}), correct = zeros(DType::i32, {3});
  kernels::softmax_cross_entropy(queue_, logits, make(DType::i32, {3}, {1, 2, 3}), 0, make(DType::i32, {1}, {3}),
                                 make(DType::f32, {1}, {1}), losses, correct, {});
  EXPECT_EQ(read(losses), run(logits, {1, 2, 3}, 0, 3, 1).losses);
}

TEST_P(CrossEntropyTest, ALogitThatIsNotFiniteShowsInItsLossAndGradientOnly) {
  for (const double bad : {static_cast<double>(NAN), static_cast<double>(INFINITY), static_cast<double>(-INFINITY)})
    for (const std::size_t place : {0U, 3U, 36U}) {
      Values x = normal(2 * 37);
      x[37 + place] = bad;
      const Result result = run(make(DType::f32, {2, 37}, x), {3, 3}, 0, 2, 1);
      EXPECT_TRUE(std::isfinite(result.losses[0]));
      EXPECT_FALSE(std::isfinite(result.losses[1])) << bad << " at " << place;
      for (std::size_t v = 0; v < 37; ++v) {
        EXPECT_TRUE(std::isfinite(result.dlogits[v]));
        EXPECT_FALSE(std::isfinite(result.dlogits[37 + v])) << bad << " at " << place;
      }
    }
}

TEST_P(CrossEntropyTest, TheGradientMayReplaceTheLogits) {
  if (storage() != DType::f32) GTEST_SKIP() << "another type than the logits'";
  const Tensor logits = random(DType::f32, {3, 257});
  const Values apart = run(logits, {0, 100, 256}, 0, 3, 0.1).dlogits;
  kernels::softmax_cross_entropy(queue_, logits, make(DType::i32, {3}, {0, 100, 256}), 0, make(DType::i32, {1}, {3}),
                                 make(DType::f32, {1}, {0.1}), zeros(DType::f32, {3}), zeros(DType::i32, {3}), logits);
  EXPECT_EQ(read(logits), apart);
}

TEST_P(CrossEntropyTest, RefusesWhatDoesNotFit) {
  EXPECT_THROW(run(random(DType::bf16, {2, 3}), {0, 0}, 0, 2, 1), Error) << "logits are f32";
  if (!refuses_contents()) return;
  const Tensor logits = random(DType::f32, {2, 3});
  EXPECT_THROW(run(logits, {0, 3}, 0, 2, 1), Error) << "label 3 of 3";
  EXPECT_THROW(run(logits, {0, -1}, 0, 2, 1), Error);
}

}  // namespace
}  // namespace tenfold::test

#include "kernels/optimizer.hpp"

#include <algorithm>

#include "op_test.hpp"

namespace tenfold::test {
namespace {

class OptimizerTest : public OpTest {
 protected:
  /// The t-th update, not skipped.
  kernels::AdamWStep step(double learning_rate, double norm, double t) {
    return {scalar(DType::f32, learning_rate), scalar(DType::f32, norm), scalar(DType::i32, 0), scalar(DType::i64, t)};
  }
  double norm_of(const Tensor& gradient) {
    const Tensor norm = zeros(DType::f32, {1});
    kernels::global_norm(queue_, gradient, norm);
    return read(norm)[0];
  }
};
TENFOLD_F32(OptimizerTest);

TEST_P(OptimizerTest, NormOfKnownVectors) {
  EXPECT_EQ(norm_of(make({3}, {2, 3, 6})), 7);
  EXPECT_EQ(norm_of(make({1}, {-5})), 5);
  const Tensor large = make({30'001}, Values(30'001, 1e25));  // its square is beyond f32
  EXPECT_NEAR(norm_of(large) / (1e25 * std::sqrt(30'001.0)), 1, 1e-6);
}

TEST_P(OptimizerTest, NormShowsWhatIsNotFinite) {
  for (const std::int64_t place : {std::int64_t{0}, std::int64_t{8191}, std::int64_t{20'000}}) {
    Values values = normal(20'001);
    values[static_cast<std::size_t>(place)] = NAN;
    EXPECT_TRUE(std::isnan(norm_of(make({20'001}, values))));
    values[static_cast<std::size_t>(place)] = -INFINITY;
    EXPECT_TRUE(std::isinf(norm_of(make({20'001}, values))));
  }
}

// By hand, t = 1: g = 0.5, m = 0.05, v = 0.005, correction = sqrt(0.02) / 0.1 = 1.41421356; weight 2 decays to
// 2 - 0.1 * 0.01 * 2 = 1.998; m / (sqrt(v) + 1e-6) = 0.05 / 0.0707116781 = 0.707096781; 1.998 - 0.1 * 1.41421356 *
// that.
TEST_P(OptimizerTest, OneStepByHand) {
  const Tensor weight = make({1}, {2}), m = zeros({1}), v = zeros({1});
  const kernels::AdamW settings{0.9, 0.98, 1e-6, 0.01, 0};
  kernels::adamw(queue_, settings, step(0.1, 100, 1), make({1}, {0.5}), weight, m, v);
  EXPECT_NEAR(read(m)[0], 0.05, 5e-9);
  EXPECT_NEAR(read(v)[0], 0.005, 5e-10);
  EXPECT_NEAR(read(weight)[0], 1.8980014142, 2e-7);
}

// Where the second moment is no greater than epsilon squared, the form matters: fairseq's epsilon is not scaled by the
// bias correction. t = 1, g = 1e-6: v = 2e-14, sqrt(v) = 1.41421356e-7, step = 1.41421356 * 1e-7 / 1.141421356e-6.
TEST_P(OptimizerTest, EpsilonStandsOutsideTheBiasCorrection) {
  const Tensor weight = zeros({1}), m = zeros({1}), v = zeros({1});
  const kernels::AdamW settings{0.9, 0.98, 1e-6, 0.01, 0};
  kernels::adamw(queue_, settings, step(1, 1, 1), make({1}, {1e-6}), weight, m, v);
  EXPECT_NEAR(read(weight)[0], -0.123899343, 1e-6);
}

TEST_P(OptimizerTest, ManyStepsFollowTheRecurrence) {
  const double beta1 = 0.9, beta2 = 0.98, epsilon = 1e-6, decay = 0.01, clip_norm = 1;
  const std::int64_t count = 257;
  const Tensor weight = random({count}), m = zeros({count}), v = zeros({count}), norm = zeros({1});
  Values w = read(weight), first(w.size()), second(w.size());
  for (int t = 1; t <= 20; ++t) {
    const double learning_rate = 1e-3 * t;
    const double correction = std::sqrt(1 - std::pow(beta2, t)) / (1 - std::pow(beta1, t));
    const Tensor gradient = random({count}, t % 2 == 0 ? 1.0 : 0.01);  // norms above and below the clip
    kernels::global_norm(queue_, gradient, norm);
    const kernels::AdamW settings{beta1, beta2, epsilon, decay, clip_norm};
    kernels::AdamWStep at = step(learning_rate, 0, t);
    at.norm = norm;
    kernels::adamw(queue_, settings, at, gradient, weight, m, v);
    const Values g = read(gradient);
    const double length = std::sqrt(dot(g, g));
    EXPECT_NEAR(read(norm)[0] / length, 1, 1e-6);
    const double clip = std::min(1.0, clip_norm / (length + 1e-6));
    for (std::size_t i = 0; i < w.size(); ++i) {
      first[i] = beta1 * first[i] + (1 - beta1) * clip * g[i];
      second[i] = beta2 * second[i] + (1 - beta2) * clip * clip * g[i] * g[i];
      w[i] -= learning_rate * decay * w[i];
      w[i] -= learning_rate * correction * first[i] / (std::sqrt(second[i]) + epsilon);
    }
  }
  expect_close(read(m), first, 1e-5, "first moment");
  expect_close(read(v), second, 1e-5, "second moment");
  expect_close(read(weight), w, 1e-5, "weight");
}

TEST_P(OptimizerTest, AStepIsSkippedWhereNormOrSumsAreNotFinite) {
  struct Case {
    double norm;
    Values sums;
    bool skipped;
  };
  const double nan = NAN, infinite = INFINITY;
  for (const Case& c : {Case{3, {1, -2, 0}, false},
                        {0, {}, false},
                        {3e38, {1e300}, false},
                        {nan, {1, 2, 3}, true},
                        {infinite, {1, 2, 3}, true},
                        {3, {nan, 2, 3}, true},
                        {3, {1, 2, nan}, true},
                        {3, {1, -infinite}, true},
                        {nan, {nan}, true}}) {
    const Tensor sums = make(DType::f64, {static_cast<std::int64_t>(c.sums.size())}, c.sums);
    for (const double before : {0.0, 1.0}) {  // what the flag was at the step before
      const Tensor skipped = scalar(DType::i32, before), updates = scalar(DType::i64, 5'000'000'000);
      kernels::judge_step(queue_, scalar(DType::f32, c.norm), sums, skipped, updates);
      EXPECT_EQ(read(skipped)[0], c.skipped ? 1 : 0) << "norm " << c.norm;
      EXPECT_EQ(read(updates)[0], c.skipped ? 5e9 : 5e9 + 1) << "norm " << c.norm;
    }
  }
}

// The gradient, the norm and the rate of a skipped step are what made it one, and must reach nothing.
TEST_P(OptimizerTest, ASkippedStepChangesNothing) {
  const std::int64_t count = 20'011;
  const Tensor gradient = make({count}, Values(static_cast<std::size_t>(count), NAN));
  const Tensor weight = random({count}), m = random({count}), v = make({count}, Values(std::size_t{20'011}, 0.5));
  const Values before_weight = read(weight), before_m = read(m), before_v = read(v);
  kernels::AdamWStep at = step(0.1, 0, 3);
  kernels::global_norm(queue_, gradient, at.norm);
  kernels::judge_step(queue_, at.norm, scalar(DType::f64, 1), at.skipped, at.updates);
  kernels::adamw(queue_, {0.9, 0.98, 1e-6, 0.01, 1}, at, gradient, weight, m, v);
  EXPECT_EQ(read(at.updates)[0], 3);
  EXPECT_EQ(read(weight), before_weight);
  EXPECT_EQ(read(m), before_m);
  EXPECT_EQ(read(v), before_v);
}

TEST_P(OptimizerTest, RefusesWhatDoesNotFit) {
  const Tensor a = zeros({3}), b = zeros({4}), one = zeros({1});
  EXPECT_THROW(kernels::adamw(queue_, {}, step(1, 1, 1), a, a, b, a), Error);
  EXPECT_THROW(kernels::global_norm(queue_, a, b), Error);
  kernels::AdamWStep at = step(1, 1, 1);
  at.updates = one;
  EXPECT_THROW(kernels::adamw(queue_, {}, at, a, a, a, a), Error) << "a count in f32";
  EXPECT_THROW(kernels::judge_step(queue_, one, zeros({2}), at.skipped, scalar(DType::i64, 0)), Error) << "f32 sums";
}

}  // namespace
}  // namespace tenfold::test

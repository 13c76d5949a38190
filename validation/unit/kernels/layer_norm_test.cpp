#include "kernels/layer_norm.hpp"

#include "op_test.hpp"

namespace tenfold::test {
namespace {

struct Reference {
  Values y, mean, rstd;
};

constexpr float epsilon = 1e-5F;

Reference layer_norm(const Values& x, const Values& gain, const Values& bias, double added = epsilon) {
  const std::size_t width = gain.size();
  Reference out{Values(x.size()), {}, {}};
  for (std::size_t start = 0; start < x.size(); start += width) {
    double mean = 0, variance = 0;
    for (std::size_t c = 0; c < width; ++c) mean += x[start + c] / static_cast<double>(width);
    for (std::size_t c = 0; c < width; ++c)
      variance += (x[start + c] - mean) * (x[start + c] - mean) / static_cast<double>(width);
    const double rstd = 1 / std::sqrt(variance + added);
    for (std::size_t c = 0; c < width; ++c) out.y[start + c] = (x[start + c] - mean) * rstd * gain[c] + bias[c];
    out.mean.push_back(mean);
    out.rstd.push_back(rstd);
  }
  return out;
}

struct Size {
  std::int64_t rows, width;
};

class LayerNormTest : public OpTest {
 protected:
  /// Gradients are sums of rounded terms, the storage's rounding times a few.
  double gradient_tolerance() const { return 4 * tolerance(); }
};
TENFOLD_F32_AND_BF16(LayerNormTest);

TEST_P(LayerNormTest, ForwardAgreesWithTheDefinition) {
  for (const Size& size : {Size{1, 1}, Size{1, 5}, Size{7, 257}, Size{300, 64}, Size{3, 1500}}) {
    const Tensor x = random({size.rows, size.width}, 3);
    const Tensor gain = random(DType::f32, {size.width});
    const Tensor bias = random(DType::f32, {size.width});
    const Tensor y = poisoned({size.rows, size.width});
    const Tensor mean = poisoned(DType::f32, {size.rows});
    const Tensor rstd = poisoned(DType::f32, {size.rows});
    kernels::layer_norm_forward(queue_, x, gain, bias, epsilon, y, mean, rstd);
    const Reference expected = layer_norm(read(x), read(gain), read(bias));
    expect_close(read(y), expected.y, tolerance(), "y");
    expect_close(read(mean), expected.mean, 2e-6, "mean");
    expect_close(read(rstd), expected.rstd, 2e-6, "rstd");
  }
}

TEST_P(LayerNormTest, ALargeMeanDoesNotDrownTheVariance) {
  const Tensor x = make({1, 4}, {4096, 4128, 4160, 4192});
  const Tensor one = make(DType::f32, {4}, Values(4, 1.0));
  const Tensor y = poisoned({1, 4});
  kernels::layer_norm_forward(queue_, x, one, zeros(DType::f32, {4}), epsilon, y, zeros(DType::f32, {1}),
                              zeros(DType::f32, {1}));
  const double unit = 1 / std::sqrt(5.0);
  expect_close(read(y), {-3 * unit, -unit, unit, 3 * unit}, tolerance());
}

// A row of zeros and one whose variance is about epsilon: epsilon is inside the root and is the one that was given.
TEST_P(LayerNormTest, EpsilonIsAddedToTheVariance) {
  const Tensor x = make({2, 4}, {0, 0, 0, 0, -0.0625, 0.0625, -0.0625, 0.0625}), y = poisoned({2, 4});
  const Tensor gain = make(DType::f32, {4}, {1, 2, 3, 4}), bias = make(DType::f32, {4}, {5, 6, 7, 8});
  const Tensor mean = poisoned(DType::f32, {2}), rstd = poisoned(DType::f32, {2});
  for (const float added : {1e-12F, 1e-5F, 0x1p-8F}) {
    kernels::layer_norm_forward(queue_, x, gain, bias, added, y, mean, rstd);
    const Reference expected = layer_norm(read(x), read(gain), read(bias), added);
    expect_close(read(y), expected.y, tolerance(), "y");
    expect_close(read(rstd), expected.rstd, 2e-6, "rstd");
    kernels::residual_layer_norm_forward(queue_, x, zeros({2, 4}), {}, gain, bias, added, zeros({2, 4}), y, mean, rstd);
    expect_close(read(y), expected.y, tolerance(), "y of a sum");
  }
}

TEST_P(LayerNormTest, BackwardIsTheGradient) {
  for (const Size& size : {Size{1, 5}, Size{6, 19}, Size{70, 9}}) {
    const Shape shape{size.rows, size.width};
    const Tensor x = random(shape, 2), dy = random(shape), dx = poisoned(shape);
    const Tensor gain = random(DType::f32, {size.width}), bias = random(DType::f32, {size.width});
    const Tensor mean = zeros(DType::f32, {size.rows}), rstd = zeros(DType::f32, {size.rows});
    const Tensor dgain = make(DType::f32, {size.width}, Values(static_cast<std::size_t>(size.width), 2.0));
    const Tensor dbias = make(DType::f32, {size.width}, Values(static_cast<std::size_t>(size.width), -3.0));
    kernels::layer_norm_forward(queue_, x, gain, bias, epsilon, dx, mean, rstd);
    kernels::layer_norm_backward(queue_, dy, x, gain, mean, rstd, dx, dgain, dbias);

    const Values in = read(x), g = read(gain), b = read(bias), upstream = read(dy);
    const auto to_x = [&](const Values& point) { return dot(upstream, layer_norm(point, g, b).y); };
    const auto to_gain = [&](const Values& point) {
      return dot(upstream, layer_norm(in, point, b).y) + 2 * dot(point, Values(g.size(), 1.0));
    };
    const auto to_bias = [&](const Values& point) {
      return dot(upstream, layer_norm(in, g, point).y) - 3 * dot(point, Values(g.size(), 1.0));
    };
    expect_close(read(dx), finite_difference(to_x, in), gradient_tolerance(), "dx");
    expect_close(read(dgain), finite_difference(to_gain, g), 4e-6, "dgain, added to 2");
    expect_close(read(dbias), finite_difference(to_bias, b), 4e-6, "dbias, added to -3");

    kernels::layer_norm_backward(queue_, dy, x, gain, mean, rstd, dy, dgain, dbias);
    EXPECT_EQ(read(dy), read(dx)) << "in place";
  }
}

/// Rows of sequences, some of which lie across the few rows that are worked out together, and rows of none.
struct Rows {
  std::vector<std::int64_t> lengths;
  std::int64_t rows, width;
};

TEST_P(LayerNormTest, ResidualForwardAgreesWithTheDefinition) {
  for (const double rate : {0.0, 0.1})
    for (const Rows& size :
         {Rows{{1, 1}, 2, 1}, {{3, 0, 2}, 6, 5}, {{1, 6, 0, 5, 17}, 31, 257}, {{2, 2}, 4, 2100}, {{}, 3, 8}}) {
      const Shape shape{size.rows, size.width};
      Packing rows = packing(size.lengths, size.rows);
      if (!rows.samples.empty()) rows.samples.back() = 6'000'000'000;
      const kernels::Dropout site = dropout(rate, rows);
      const Tensor branch = random(shape), residual = random(shape), sum = poisoned(shape), y = poisoned(shape);
      const Tensor gain = random(DType::f32, {size.width}), bias = random(DType::f32, {size.width});
      const Tensor mean = zeros(DType::f32, {size.rows}), rstd = zeros(DType::f32, {size.rows});
      kernels::residual_layer_norm_forward(queue_, branch, residual, site, gain, bias, epsilon, sum, y, mean, rstd);

      Values expected = read(residual);
      const Values added = read(branch), factors = dropout_factors(rate, site.key, dropout_step, rows, size.width);
      for (std::size_t i = 0; i < expected.size(); ++i) expected[i] += factors[i] * added[i];
      expect_close(read(sum), expected, tolerance(), "sum");
      const Reference normalised = layer_norm(read(sum), read(gain), read(bias));  // of the sum as it is stored
      expect_close(read(y), normalised.y, tolerance(), "y");
      expect_close(read(mean), normalised.mean, 2e-6, "mean");
      expect_close(read(rstd), normalised.rstd, 2e-6, "rstd");

      const Values apart = read(sum);
      kernels::residual_layer_norm_forward(queue_, branch, residual, site, gain, bias, epsilon, branch, y, mean, rstd);
      EXPECT_EQ(read(branch), apart) << "in place";
    }
}

TEST_P(LayerNormTest, ResidualBackwardIsTheGradient) {
  for (const double rate : {0.0, 0.25})
    for (const Rows& size : {Rows{{1, 1}, 2, 5}, {{3, 0, 2}, 6, 19}, {{1, 30, 17, 0, 21}, 80, 9}}) {
      const Shape shape{size.rows, size.width};
      const Packing rows = packing(size.lengths, size.rows);
      const kernels::Dropout site = dropout(rate, rows);
      const Tensor sum = random(shape, 2), dresidual = poisoned(shape), dbranch = poisoned(shape);
      const Tensor dy = make(shape, filled_rows(normal(shape.elements()), rows));  // nothing comes from other rows
      const Tensor gain = random(DType::f32, {size.width}), bias = random(DType::f32, {size.width});
      const Tensor mean = zeros(DType::f32, {size.rows}), rstd = zeros(DType::f32, {size.rows});
      const Tensor dgain = zeros(DType::f32, {size.width}), dbias = zeros(DType::f32, {size.width});
      kernels::layer_norm_forward(queue_, sum, gain, bias, epsilon, dresidual, mean, rstd);
      kernels::residual_layer_norm_backward(queue_, dy, sum, site, gain, mean, rstd, dresidual, dbranch, dgain, dbias);

      const Values stored = read(sum), g = read(gain), b = read(bias), upstream = read(dy);
      const Values expected =
          finite_difference([&](const Values& point) { return dot(upstream, layer_norm(point, g, b).y); }, stored);
      Values through_mask = expected;
      const Values factors = dropout_factors(rate, site.key, dropout_step, rows, size.width);
      for (std::size_t i = 0; i < factors.size(); ++i) through_mask[i] *= factors[i];
      expect_close(read(dresidual), expected, gradient_tolerance(), "dresidual");
      expect_close(read(dbranch), through_mask, gradient_tolerance(), "dbranch");
      EXPECT_EQ(filled_rows(read(dbranch), rows), read(dbranch)) << "rows of no sequence";
      const auto to_gain = [&](const Values& point) { return dot(upstream, layer_norm(stored, point, b).y); };
      const auto to_bias = [&](const Values& point) { return dot(upstream, layer_norm(stored, g, point).y); };
      expect_close(read(dgain), finite_difference(to_gain, g), 4e-6, "dgain");
      expect_close(read(dbias), finite_difference(to_bias, b), 4e-6, "dbias");

      const Values apart = read(dresidual);
      kernels::residual_layer_norm_backward(queue_, dy, sum, site, gain, mean, rstd, dy, dbranch, dgain, dbias);
      EXPECT_EQ(read(dy), apart) << "in place";
    }
}

TEST_P(LayerNormTest, ASequenceIsTheSameWhereverItLies) {
  const std::int64_t width = 37;
  const Packing rows = packing({3, 1, 9, 0, 14});
  const Tensor branch = random({rows.rows, width}), residual = random({rows.rows, width});
  const Tensor gain = random(DType::f32, {width}), bias = random(DType::f32, {width});
  const auto normalised = [&](const Tensor& added, const Tensor& stream, const Packing& packed) {
    const Tensor y = poisoned(added.shape()), sum = poisoned(added.shape());
    const Tensor mean = zeros(DType::f32, {added[0]}), rstd = zeros(DType::f32, {added[0]});
    kernels::residual_layer_norm_forward(queue_, added, stream, dropout(0.1, packed), gain, bias, epsilon, sum, y, mean,
                                         rstd);
    return read(y);
  };
  const Values among = normalised(branch, residual, rows);
  for (std::size_t b = 0; b < rows.lengths.size(); ++b) {
    Packing alone = rows.alone(b);
    alone.rows = rows.lengths[b];
    if (alone.rows == 0) continue;
    const Tensor added = branch.rows(rows.begin(b), alone.rows), stream = residual.rows(rows.begin(b), alone.rows);
    EXPECT_EQ(normalised(added, stream, alone), rows_of(among, rows, b)) << "sequence " << b;
  }
}

TEST_P(LayerNormTest, TheSameBitsEachTime) {
  const Shape shape{777, 33};
  const Tensor x = random(shape), dy = random(shape), out = zeros(shape), gain = random(DType::f32, {33});
  const Tensor mean = zeros(DType::f32, {777}), rstd = zeros(DType::f32, {777}), bias = zeros(DType::f32, {33});
  kernels::layer_norm_forward(queue_, x, gain, bias, epsilon, out, mean, rstd);
  Values first;
  for (int i = 0; i < 3; ++i) {
    const Tensor dgain = zeros(DType::f32, {33}), dbias = zeros(DType::f32, {33});
    kernels::layer_norm_backward(queue_, dy, x, gain, mean, rstd, out, dgain, dbias);
    if (i == 0) first = read(dgain);
    EXPECT_EQ(read(dgain), first);
  }
}

TEST_P(LayerNormTest, NotANumberShows) {
  const Tensor x = make({2, 3}, {1, NAN, 2, 1, 2, 3}), y = zeros({2, 3});
  const Tensor gain = make(DType::f32, {3}, {1, 1, 1}), rows = zeros(DType::f32, {2});
  kernels::layer_norm_forward(queue_, x, gain, zeros(DType::f32, {3}), epsilon, y, rows, zeros(DType::f32, {2}));
  const Values out = read(y);
  for (std::size_t c = 0; c < 3; ++c) EXPECT_TRUE(std::isnan(out[c]) && std::isfinite(out[3 + c]));
}

TEST_P(LayerNormTest, RefusesWhatDoesNotFit) {
  const Tensor x = random({2, 3}), y = zeros({2, 3}), three = zeros(DType::f32, {3}), two = zeros(DType::f32, {2});
  EXPECT_THROW(kernels::layer_norm_forward(queue_, x, two, three, epsilon, y, two, two), Error) << "gain";
  EXPECT_THROW(kernels::layer_norm_forward(queue_, x, three, three, epsilon, zeros({3, 3}), two, two), Error) << "y";
  EXPECT_THROW(kernels::layer_norm_forward(queue_, x, three, three, epsilon, y, three, two), Error) << "mean";
  EXPECT_THROW(kernels::layer_norm_forward(queue_, x, make(DType::f64, {3}, {1, 1, 1}), three, epsilon, y, two, two),
               Error);
}

}  // namespace
}  // namespace tenfold::test

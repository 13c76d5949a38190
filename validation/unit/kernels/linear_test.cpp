#include "kernels/linear.hpp"

#include "op_test.hpp"

namespace tenfold::test {
namespace {

/// C[i, j] = sum over l of a(i, l) b(l, j).
template <class A, class B>
Values product(std::int64_t m, std::int64_t n, std::int64_t k, const A& a, const B& b) {
  Values c;
  for (std::int64_t i = 0; i < m; ++i)
    for (std::int64_t j = 0; j < n; ++j) {
      double sum = 0;
      for (std::int64_t l = 0; l < k; ++l) sum += a(i, l) * b(l, j);
      c.push_back(sum);
    }
  return c;
}

auto element(const Values& matrix, std::int64_t columns, bool transpose) {
  return [&matrix, columns, transpose](std::int64_t row, std::int64_t column) {
    return matrix[static_cast<std::size_t>(transpose ? column * columns + row : row * columns + column)];
  };
}

struct Size {
  std::int64_t rows, in, out;
};

/// One row, odd extents, extents just past the blocks of vector and matrix units, and sums long enough to be cut in
/// pieces.
constexpr Size sizes[] = {{1, 1, 1},     {7, 5, 3},      {1, 64, 17},     {128, 64, 64},
                          {33, 257, 65}, {130, 31, 100}, {1100, 20, 300}, {300, 20, 1100}};

class LinearTest : public OpTest {
 protected:
  /// Of results in f32, whatever the operands.
  static constexpr double f32_tolerance = 1e-5;
  double result_tolerance() const { return std::max(tolerance(), f32_tolerance); }

  Values forward(const Size& size, const Values& x, const Values& weight, const Values& bias) const {
    Values y = product(size.rows, size.out, size.in, element(x, size.in, false), element(weight, size.in, true));
    for (std::size_t i = 0; i < y.size(); ++i) y[i] += bias[i % bias.size()];
    return y;
  }

  /// The bias as it is added to a y of the storage type.
  static Values as_added(Values bias) {
    if (GetParam().device == DeviceKind::host || storage() == DType::f32) return bias;
    for (double& value : bias) {  // to the nearest of eight significant bits
      int exponent = 0;
      std::frexp(value, &exponent);
      value = std::ldexp(std::nearbyint(std::ldexp(value, 8 - exponent)), exponent - 8);
    }
    return bias;
  }
};
TENFOLD_F32_AND_BF16(LinearTest);

TEST_P(LinearTest, ForwardAgreesWithTheDefinition) {
  for (const Size& size : sizes) {
    const Tensor x = random({size.rows, size.in}), weight = random({size.out, size.in});
    const Tensor bias = random(DType::f32, {size.out});
    const Values in = read(x), w = read(weight), b = read(bias);
    const Tensor y = poisoned({size.rows, size.out});
    kernels::linear_forward(queue_, x, weight, bias, y);
    expect_close(read(y), forward(size, in, w, as_added(b)), result_tolerance(), "y");
    const Tensor logits = poisoned(DType::f32, {size.rows, size.out});
    kernels::linear_forward(queue_, x, weight, bias, logits);
    expect_close(read(logits), forward(size, in, w, b), f32_tolerance, "y in f32");
    kernels::linear_forward(queue_, x, weight, {}, y);
    expect_close(read(y), forward(size, in, w, {0.0}), result_tolerance(), "y without bias");
  }
}

TEST_P(LinearTest, BackwardInputAgreesWithTheDefinition) {
  for (const Size& size : sizes) {
    const Tensor dy = random({size.rows, size.out}), weight = random({size.out, size.in});
    const Values values = read(dy), w = read(weight);
    const Values expected =
        product(size.rows, size.in, size.out, element(values, size.out, false), element(w, size.in, false));
    const Tensor dx = poisoned({size.rows, size.in});
    kernels::linear_backward_input(queue_, dy, weight, dx, false);
    expect_close(read(dx), expected, result_tolerance(), "dx");
    const Values before = read(dx);
    kernels::linear_backward_input(queue_, dy, weight, dx, true);
    expect_close(read(dx), sum(before, expected), result_tolerance(), "dx added to");
  }
}

TEST_P(LinearTest, BackwardWeightAddsToTheGradients) {
  for (const Size& size : sizes) {
    const Tensor dy = random({size.rows, size.out}), x = random({size.rows, size.in});
    const Tensor dweight = random(DType::f32, {size.out, size.in}), dbias = random(DType::f32, {size.out});
    const Values dw_before = read(dweight), db_before = read(dbias), upstream = read(dy), in = read(x);
    kernels::linear_backward_weight(queue_, dy, x, dweight, dbias);
    const Values dw =
        product(size.out, size.in, size.rows, element(upstream, size.out, true), element(in, size.in, false));
    const Values db =
        product(size.out, 1, size.rows, element(upstream, size.out, true), [](auto, auto) { return 1.0; });
    expect_close(read(dweight), sum(dw_before, dw), f32_tolerance, "dW");
    expect_close(read(dbias), sum(db_before, db), f32_tolerance, "db");
    const Values once = read(dweight);
    kernels::linear_backward_weight(queue_, dy, x, dweight, {});
    expect_close(read(dweight), sum(once, dw), f32_tolerance, "dW without a bias");
  }
}

TEST_P(LinearTest, BackwardIsTheGradient) {
  const Size size{9, 6, 11};
  const Tensor x = random({size.rows, size.in}), weight = random({size.out, size.in}),
               dy = random({size.rows, size.out});
  const Tensor dx = poisoned({size.rows, size.in});
  const Tensor dweight = zeros(DType::f32, {size.out, size.in}), dbias = zeros(DType::f32, {size.out});
  kernels::linear_backward_input(queue_, dy, weight, dx, false);
  kernels::linear_backward_weight(queue_, dy, x, dweight, dbias);
  const Values in = read(x), w = read(weight), b(static_cast<std::size_t>(size.out), 0.5), upstream = read(dy);
  const auto gradient = [&](const std::function<Values(const Values&)>& output, const Values& point) {
    return finite_difference([&](const Values& at) { return dot(upstream, output(at)); }, point);
  };
  expect_close(read(dx), gradient([&](const Values& at) { return forward(size, at, w, b); }, in), result_tolerance());
  expect_close(read(dweight), gradient([&](const Values& at) { return forward(size, in, at, b); }, w), f32_tolerance);
  expect_close(read(dbias), gradient([&](const Values& at) { return forward(size, in, w, at); }, b), f32_tolerance);
}

TEST_P(LinearTest, TheSameBitsEachTime) {
  const Tensor dy = random({700, 70}), x = random({700, 90});
  const Tensor first = zeros(DType::f32, {70, 90}), second = zeros(DType::f32, {70, 90});
  const Tensor first_bias = zeros(DType::f32, {70}), second_bias = zeros(DType::f32, {70});
  kernels::linear_backward_weight(queue_, dy, x, first, first_bias);
  kernels::linear_backward_weight(queue_, dy, x, second, second_bias);
  EXPECT_EQ(read(first), read(second));
  EXPECT_EQ(read(first_bias), read(second_bias));
}

// On the host bit for bit: rows are dealt into batches of any number.
TEST_P(LinearTest, ARowIsTheSameWhateverTheNumberOfRows) {
  const auto expect_same = [this](const Values& part, const Values& whole, const std::string& what) {
    if (GetParam().device == DeviceKind::host)
      EXPECT_EQ(part, whole) << what;
    else
      expect_close(part, whole, result_tolerance(), what);
  };
  const std::int64_t rows = 3 * kernels::row_block - 40;
  for (const auto& [in, out] : {std::pair<std::int64_t, std::int64_t>{48, 200}, {256, 64}, {37, 5}}) {
    const Tensor x = random({rows, in}), weight = random({out, in}), bias = random(DType::f32, {out});
    const Tensor dy = random({rows, out}), y = poisoned({rows, out}), dx = poisoned({rows, in});
    kernels::linear_forward(queue_, x, weight, bias, y);
    kernels::linear_backward_input(queue_, dy, weight, dx, false);
    const Values whole_y = read(y), whole_dx = read(dx);
    for (std::int64_t count : {std::int64_t{1}, std::int64_t{7}, kernels::row_block - 1, kernels::row_block,
                               kernels::row_block + 1, 2 * kernels::row_block + 30}) {
      const auto first = [count](const Values& whole, std::int64_t width) {
        return Values(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(count * width));
      };
      const Tensor part_y = poisoned({count, out}), part_dx = poisoned({count, in});
      kernels::linear_forward(queue_, x.rows(0, count), weight, bias, part_y);
      kernels::linear_backward_input(queue_, dy.rows(0, count), weight, part_dx, false);
      const std::string what = text(count, " rows, ", in, " to ", out);
      expect_same(read(part_y), first(whole_y, out), what);
      expect_same(read(part_dx), first(whole_dx, in), what);
    }
  }
}

// At any address: rows 3 to 22 of matrices of 40, aligned to their elements only.
TEST_P(LinearTest, RowsMayBeginAnywhere) {
  const Size size{20, 7, 5};
  const std::int64_t begin = 3;
  const auto middle = [&](const Tensor& all) { return all.rows(begin, size.rows); };
  const auto of_middle = [&](const Values& all, std::int64_t width) {
    const auto first = all.begin() + begin * width;
    return Values(first, first + size.rows * width);
  };
  const Tensor x = random({40, size.in}), weight = random({size.out, size.in}), bias = random(DType::f32, {size.out});
  const Tensor dy = random({40, size.out}), y = poisoned({40, size.out}), dx = poisoned({40, size.in});
  const Tensor dweight = zeros(DType::f32, {size.out, size.in}), dbias = zeros(DType::f32, {size.out});
  const Values in = of_middle(read(x), size.in), upstream = of_middle(read(dy), size.out), w = read(weight);
  kernels::linear_forward(queue_, middle(x), weight, bias, middle(y));
  expect_close(of_middle(read(y), size.out), forward(size, in, w, as_added(read(bias))), result_tolerance(), "y");
  kernels::linear_backward_input(queue_, middle(dy), weight, middle(dx), false);
  expect_close(of_middle(read(dx), size.in),
               product(size.rows, size.in, size.out, element(upstream, size.out, false), element(w, size.in, false)),
               result_tolerance(), "dx");
  kernels::linear_backward_weight(queue_, middle(dy), middle(x), dweight, dbias);
  expect_close(read(dweight),
               product(size.out, size.in, size.rows, element(upstream, size.out, true), element(in, size.in, false)),
               f32_tolerance, "dW");
  EXPECT_EQ(read(y).front(), read(y).back()) << "other rows were written";
}

TEST_P(LinearTest, NotANumberPassesThrough) {
  Values in(64 * 64, 1.0);
  in[64 * 63 + 5] = NAN;
  const Tensor x = make({64, 64}, in), weight = random({64, 64}), y = zeros({64, 64});
  kernels::linear_forward(queue_, x, weight, {}, y);
  const Values out = read(y);
  EXPECT_TRUE(std::isfinite(out[0]));
  EXPECT_TRUE(std::isnan(out[64 * 63]));
  const Tensor dweight = zeros(DType::f32, {64, 64}), dbias = zeros(DType::f32, {64});
  kernels::linear_backward_weight(queue_, x, y, dweight, dbias);
  EXPECT_TRUE(std::isnan(read(dbias)[5]));
  EXPECT_TRUE(std::isfinite(read(dbias)[4]));
}

TEST_P(LinearTest, TheYardstickTakesTimeInEveryLayout) {
  for (const auto layout : {kernels::OperandLayout::packed, kernels::OperandLayout::row_major}) {
    EXPECT_GT(kernels::measure_matmul(queue_, storage(), layout, 64, 2), 0);
    EXPECT_THROW(kernels::measure_matmul(queue_, storage(), layout, 0, 2), Error);
  }
}

TEST_P(LinearTest, RefusesWhatDoesNotFit) {
  const Tensor x = random({4, 6}), weight = random({5, 6}), y = zeros({4, 5});
  EXPECT_THROW(kernels::linear_forward(queue_, x, random({5, 7}), {}, y), Error);
  EXPECT_THROW(kernels::linear_forward(queue_, x, weight, random(DType::f32, {4}), y), Error);
  EXPECT_THROW(kernels::linear_forward(queue_, x, weight, {}, zeros({5, 4})), Error);
  EXPECT_THROW(kernels::linear_forward(queue_, x, zeros(DType::i32, {5, 6}), {}, y), Error);
  EXPECT_THROW(kernels::linear_forward(queue_, random({24}), weight, {}, y), Error);
  EXPECT_THROW(kernels::linear_backward_weight(queue_, y, x, zeros(DType::bf16, {5, 6}), {}), Error);
}

}  // namespace
}  // namespace tenfold::test

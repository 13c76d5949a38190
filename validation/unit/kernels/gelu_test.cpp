#include "kernels/gelu.hpp"

#include "op_test.hpp"

namespace tenfold::test {
namespace {

double gelu(double x) {
  return x * std::erfc(-x / std::sqrt(2.0)) / 2;
}

class GeluTest : public OpTest {};
TENFOLD_F32_AND_BF16(GeluTest);

TEST_P(GeluTest, ForwardIsTheExactForm) {
  for (std::int64_t count : {1, 5, 257, 20000}) {
    const Tensor x = random({count}, 2);
    const Tensor y = poisoned({count}), derivative = poisoned({count});
    const Values in = read(x);
    kernels::gelu_forward(queue_, x, y, derivative);
    Values expected = in;
    for (double& value : expected) value = gelu(value);
    expect_close(read(y), expected, tolerance());
    const Values slope = read(derivative);
    kernels::gelu_forward(queue_, x, y, x);
    EXPECT_EQ(read(x), slope) << "in place";
    expect_close(read(y), expected, tolerance(), "y with the derivative in place");
  }
}

TEST_P(GeluTest, BackwardIsTheGradient) {
  const Tensor x = random({3, 19}, 2);
  const Tensor dy = random({3, 19});
  const Values upstream = read(dy);
  const Values expected = finite_difference(
      [&](const Values& point) {
        double sum = 0;
        for (std::size_t i = 0; i < point.size(); ++i) sum += upstream[i] * gelu(point[i]);
        return sum;
      },
      read(x));
  const Tensor y = poisoned({3, 19}), dx = poisoned({3, 19});
  kernels::gelu_forward(queue_, x, y, x);
  kernels::gelu_backward(queue_, dy, x, dx);
  expect_close(read(dx), expected, 2 * tolerance(), "rounded as derivative and as product");
  kernels::gelu_backward(queue_, dy, x, dy);
  EXPECT_EQ(read(dy), read(dx)) << "in place";
}

TEST_P(GeluTest, FarFromZeroItIsZeroOrTheIdentity) {
  const Tensor x = make({6}, {-1e4, -60, -14, 14, 60, 1e4});
  const Tensor y = poisoned({6}), derivative = poisoned({6});
  kernels::gelu_forward(queue_, x, y, derivative);
  const Values in = read(x), out = read(y), slope = read(derivative);
  for (std::size_t i = 0; i < 3; ++i) EXPECT_NEAR(out[i], 0, 1e-30);
  for (std::size_t i = 3; i < 6; ++i) EXPECT_EQ(out[i], in[i]);
  for (std::size_t i = 0; i < 6; ++i) EXPECT_NEAR(slope[i], i < 3 ? 0 : 1, 1e-30);
}

TEST_P(GeluTest, NotANumberShows) {
  const Tensor x = make({3}, {1, NAN, 2});
  const Tensor y = poisoned({3}), derivative = poisoned({3});
  kernels::gelu_forward(queue_, x, y, derivative);
  for (const Tensor& result : {y, derivative}) {
    EXPECT_TRUE(std::isnan(read(result)[1]));
    EXPECT_TRUE(std::isfinite(read(result)[0]) && std::isfinite(read(result)[2]));
  }
  kernels::gelu_backward(queue_, x, derivative, y);
  EXPECT_TRUE(std::isnan(read(y)[1]));
}

TEST_P(GeluTest, RefusesWhatDoesNotFit) {
  const Tensor x = random({4});
  EXPECT_THROW(kernels::gelu_forward(queue_, x, zeros({5}), x), Error);
  EXPECT_THROW(kernels::gelu_forward(queue_, x, zeros(DType::f64, {4}), x), Error);
  EXPECT_THROW(kernels::gelu_forward(queue_, x, zeros({4}), zeros({5})), Error);
  EXPECT_THROW(kernels::gelu_backward(queue_, zeros({3}), x, zeros({4})), Error);
}

}  // namespace
}  // namespace tenfold::test

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
    const Tensor y = poisoned({count});
    kernels::gelu_forward(queue_, x, y);
    Values expected = read(x);
    for (double& value : expected) value = gelu(value);
    expect_close(read(y), expected, tolerance());
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
  const Tensor dx = poisoned({3, 19});
  kernels::gelu_backward(queue_, dy, x, dx);
  expect_close(read(dx), expected, tolerance());
  kernels::gelu_backward(queue_, dy, x, dy);
  EXPECT_EQ(read(dy), read(dx)) << "in place";
}

TEST_P(GeluTest, FarFromZeroItIsZeroOrTheIdentity) {
  const Tensor x = make({6}, {-1e4, -60, -14, 14, 60, 1e4});
  const Tensor y = poisoned({6});
  const Tensor one = make({6}, Values(6, 1.0));
  kernels::gelu_forward(queue_, x, y);
  const Values in = read(x);
  const Values out = read(y);
  for (std::size_t i = 0; i < 3; ++i) EXPECT_NEAR(out[i], 0, 1e-30);
  for (std::size_t i = 3; i < 6; ++i) EXPECT_EQ(out[i], in[i]);
  kernels::gelu_backward(queue_, one, x, y);
  const Values slope = read(y);
  for (std::size_t i = 0; i < 6; ++i) EXPECT_NEAR(slope[i], i < 3 ? 0 : 1, 1e-30);
}

TEST_P(GeluTest, NotANumberShows) {
  const Tensor x = make({3}, {1, NAN, 2});
  const Tensor y = poisoned({3});
  kernels::gelu_forward(queue_, x, y);
  EXPECT_TRUE(std::isnan(read(y)[1]));
  EXPECT_TRUE(std::isfinite(read(y)[0]) && std::isfinite(read(y)[2]));
  kernels::gelu_backward(queue_, x, x, y);
  EXPECT_TRUE(std::isnan(read(y)[1]));
}

TEST_P(GeluTest, RefusesWhatDoesNotFit) {
  const Tensor x = random({4});
  EXPECT_THROW(kernels::gelu_forward(queue_, x, zeros({5})), Error);
  EXPECT_THROW(kernels::gelu_forward(queue_, x, zeros(DType::f64, {4})), Error);
  EXPECT_THROW(kernels::gelu_backward(queue_, zeros({3}), x, zeros({4})), Error);
}

}  // namespace
}  // namespace tenfold::test

#include "kernels/gather_rows.hpp"

#include "op_test.hpp"

namespace tenfold::test {
namespace {

class GatherRowsTest : public OpTest {};
TENFOLD_F32_AND_BF16(GatherRowsTest);

TEST_P(GatherRowsTest, TakesTheRowsInOrderAndNothingBeyondTheCount) {
  const Tensor x = make({4, 3}, {0, 1, 2, 10, 11, 12, 20, 21, 22, 30, 31, 32});
  const Tensor out = poisoned({3, 3});
  kernels::gather_rows(queue_, x, make(DType::i32, {3}, {3, 1, -7}), make(DType::i32, {1}, {2}), out);
  EXPECT_EQ(read(out), (Values{30, 31, 32, 10, 11, 12, 0, 0, 0}));
}

TEST_P(GatherRowsTest, ScatterPutsThemBack) {
  const Tensor dx = poisoned({4, 3});
  const Tensor dout = make({3, 3}, {1, 2, 3, 4, 5, 6, 7, 8, 9});
  kernels::scatter_rows(queue_, dout, make(DType::i32, {3}, {3, 1, 2}), make(DType::i32, {1}, {2}), dx);
  EXPECT_EQ(read(dx), (Values{0, 0, 0, 4, 5, 6, 0, 0, 0, 1, 2, 3}));
}

TEST_P(GatherRowsTest, NothingCountsWhereTheCountIsZero) {
  const Tensor x = random({4, 8}), out = poisoned({3, 8}), index = make(DType::i32, {3}, {-7, 99, 4}),
               none = integers({0});
  kernels::gather_rows(queue_, x, index, none, out);
  EXPECT_EQ(read(out), Values(24));
  kernels::scatter_rows(queue_, poisoned({3, 8}), index, none, x);
  EXPECT_EQ(read(x), Values(32));
}

// <gather(x), y> = <x, scatter(y)> for every x and y: one is the gradient of the other.
TEST_P(GatherRowsTest, ScatterIsTheGradientOfGather) {
  for (std::int64_t width : {1, 5, 257, 264}) {
    const std::int64_t rows = 100, selected = 40;
    Values index(40);
    for (std::size_t i = 0; i < index.size(); ++i) index[i] = static_cast<double>((i * 37 + 11) % 100);
    const Tensor chosen = make(DType::i32, {selected}, index);
    const Tensor count = make(DType::i32, {1}, {33});
    const Tensor x = random({rows, width}), y = random({selected, width});
    const Tensor gathered = poisoned({selected, width}), scattered = poisoned({rows, width});
    kernels::gather_rows(queue_, x, chosen, count, gathered);
    kernels::scatter_rows(queue_, y, chosen, count, scattered);
    EXPECT_NEAR(dot(read(gathered), read(y)), dot(read(x), read(scattered)), 1e-9);
  }
}

TEST_P(GatherRowsTest, RefusesWhatDoesNotFit) {
  const Tensor x = random({4, 3}), out = zeros({2, 3}), index = make(DType::i32, {2}, {0, 4});
  EXPECT_THROW(kernels::scatter_rows(queue_, zeros({2, 2}), index, make(DType::i32, {1}, {1}), x), Error) << "width";
  if (!refuses_contents()) return;
  EXPECT_THROW(kernels::gather_rows(queue_, x, index, make(DType::i32, {1}, {2}), out), Error) << "row 4 of 4";
  EXPECT_THROW(kernels::gather_rows(queue_, x, index, make(DType::i32, {1}, {3}), out), Error) << "3 of 2";
}

}  // namespace
}  // namespace tenfold::test

#include "kernels/embedding.hpp"

#include <algorithm>
#include <numeric>

#include "op_test.hpp"

namespace tenfold::test {
namespace {

struct Size {
  std::vector<std::int64_t> lengths;
  std::int64_t longest, width, vocabulary;
};
/// The last three have more rows than one thread takes at once.
const std::vector<Size> sizes = {{{1}, 1, 1, 1},
                                 {{}, 3, 8, 2},
                                 {{5, 0, 3}, 5, 1, 4},
                                 {{0, 2, 5, 1, 0}, 7, 5, 4},
                                 {std::vector<std::int64_t>(27, 5), 5, 64, 7},
                                 {{7, 21}, 21, 264, 3},
                                 {{17, 1, 0, 16, 18, 3, 19, 0}, 19, 257, 4}};

class EmbeddingTest : public OpTest {
 protected:
  /// One a row, also where no sequence is.
  Values tokens(const Size& size, const Packing& rows) {
    std::uniform_int_distribution<std::int64_t> draw(0, size.vocabulary - 1);
    Values values(static_cast<std::size_t>(rows.rows));
    for (double& value : values) value = static_cast<double>(draw(generator_));
    return values;
  }

  /// Rows of the table by their ids and of the positions by their places, summed.
  static Values reference(const Packing& rows, const Values& ids, const Values& table, const Values& positions,
                          std::int64_t width) {
    Values out;
    const std::vector<Packing::Place> places = rows.places();
    for (std::size_t n = 0; n < places.size(); ++n)
      for (std::int64_t c = 0; c < width; ++c)
        out.push_back(table[static_cast<std::size_t>(static_cast<std::int64_t>(ids[n]) * width + c)] +
                      positions[static_cast<std::size_t>(places[n].position * width + c)]);
    out.resize(static_cast<std::size_t>(rows.rows * width));
    return out;
  }
};
TENFOLD_F32_AND_BF16(EmbeddingTest);

TEST_P(EmbeddingTest, LooksUpAndAddsPositions) {
  const Tensor table = make({3, 2}, {1, 2, 3, 4, 5, 6});
  const Tensor positions = make({3, 2}, {10, 20, 30, 40, 50, 60});
  const Tensor ids = integers({2, 0, 1, 1, 2});
  const Tensor out = poisoned({5, 2});
  const kernels::PackedRows rows = pack(packing({1, 0, 3}, 5));
  kernels::embedding_forward(queue_, ids, rows, table, positions, out);
  EXPECT_EQ(read(out), (Values{15, 26, 11, 22, 33, 44, 53, 64, 0, 0}));
  kernels::embedding_forward(queue_, ids, rows, table, {}, out);
  EXPECT_EQ(read(out), (Values{5, 6, 1, 2, 3, 4, 3, 4, 0, 0}));
}

TEST_P(EmbeddingTest, ForwardAgreesWithTheDefinition) {
  for (const Size& s : sizes) {
    const Packing rows = packing(s.lengths);
    const Values ids = tokens(s, rows);
    const Tensor table = random({s.vocabulary, s.width}), positions = random({s.longest, s.width});
    const Tensor out = poisoned({rows.rows, s.width});
    kernels::embedding_forward(queue_, integers(ids), pack(rows), table, positions, out);
    expect_close(read(out), reference(rows, ids, read(table), read(positions), s.width), tolerance(),
                 text("width ", s.width));
  }
}

TEST_P(EmbeddingTest, PositionsAddToTheRowsOfEverySequence) {
  for (const Size& s : sizes) {
    const Packing rows = packing(s.lengths);
    const Tensor x = random_rows(rows, s.width), positions = random({s.longest, s.width});
    Values each_row(static_cast<std::size_t>(rows.rows));
    std::iota(each_row.begin(), each_row.end(), 0);
    const Values expected = reference(rows, each_row, read(x), read(positions), s.width);
    kernels::positions_forward(queue_, pack(rows), positions, x);
    expect_close(filled_rows(read(x), rows), expected, tolerance(), text("width ", s.width));
  }
}

TEST_P(EmbeddingTest, BackwardAddsTheGradient) {
  for (Size s : sizes) {
    s.width = std::min(s.width, std::int64_t{35});  // or the differences would take long
    const Packing rows = packing(s.lengths);
    const Values ids = tokens(s, rows);
    const Tensor dout = random_rows(rows, s.width);
    const Values upstream = filled_rows(read(dout), rows);
    const Tensor dtable = random(DType::f32, {s.vocabulary, s.width});
    const Tensor dpositions = random(DType::f32, {s.longest, s.width});
    const Values table(static_cast<std::size_t>(dtable.elements())), before = read(dpositions);
    const Values positions(before.size());
    const Tensor alone = make(DType::f32, dpositions.shape(), before);
    // The op is linear and columns do not mix: what a row of ones gives is the slope in all its columns.
    const auto slope = [&](bool of_table) {
      const auto width = static_cast<std::size_t>(s.width);
      Values point = of_table ? table : positions, gradient(point.size());
      for (auto row = point.begin(); row != point.end(); row += s.width) {
        std::fill_n(row, width, 1.0);
        const Values out = reference(rows, ids, of_table ? point : table, of_table ? positions : point, s.width);
        std::fill_n(row, width, 0.0);
        const auto begin = static_cast<std::size_t>(row - point.begin());
        for (std::size_t i = 0; i < out.size(); ++i) gradient[begin + i % width] += upstream[i] * out[i];
      }
      return gradient;
    };
    const Values to_table = sum(read(dtable), slope(true)), to_positions = sum(before, slope(false));

    kernels::embedding_backward(queue_, integers(ids), pack(rows), dout, dtable, dpositions);
    expect_close(read(dtable), to_table, 2e-6, "dtable");
    expect_close(read(dpositions), to_positions, 2e-6, "dpositions");
    kernels::positions_backward(queue_, pack(rows), dout, alone);
    expect_close(read(alone), to_positions, 2e-6, "dpositions alone");
  }
}

/// Rows of one frequent token, a few of each of the others, and of none.
class EmbeddingOfManyRowsTest : public EmbeddingTest {
 protected:
  struct Rows {
    Packing packing;
    Values ids;
    Tensor dout;
  };
  /// Whole numbers, so that sums are exact in any order.
  Rows whole_numbers(const Size& size) {
    Packing rows = packing(size.lengths);
    Values ids = tokens(size, rows), values(static_cast<std::size_t>(rows.rows * size.width), NAN);
    for (std::size_t n = 0; n < ids.size(); ++n)
      if (n % 8 == 3 || n % 1000 < 200) ids[n] = static_cast<double>(size.vocabulary / 2);
    std::uniform_int_distribution<int> draw(-4, 4);
    for (std::int64_t i = 0; i < rows.filled() * size.width; ++i)
      values[static_cast<std::size_t>(i)] = draw(generator_);
    const Tensor dout = make({rows.rows, size.width}, values);
    return {rows, ids, dout};
  }
};
TENFOLD_F32_AND_BF16(EmbeddingOfManyRowsTest);

TEST_P(EmbeddingOfManyRowsTest, EachTokenGetsTheSumOfItsRows) {
  for (const Size& s : {Size{std::vector<std::int64_t>(43, 97), 250, 3, 70'000},
                        {{120, 0, 300}, 300, 264, 300},
                        {std::vector<std::int64_t>(64, 4), 4, 9, 1}}) {
    const Rows rows = whole_numbers(s);
    const Tensor dtable =
        make(DType::f32, {s.vocabulary, s.width}, Values(static_cast<std::size_t>(s.vocabulary * s.width), 1));
    const Tensor dpositions = zeros(DType::f32, {s.longest, s.width});
    Values table = read(dtable), positions = read(dpositions);
    const Values values = read(rows.dout);
    const std::vector<Packing::Place> places = rows.packing.places();
    const auto width = static_cast<std::size_t>(s.width);
    for (std::size_t n = 0; n < places.size(); ++n)
      for (std::size_t c = 0; c < width; ++c) {
        table[static_cast<std::size_t>(rows.ids[n]) * width + c] += values[n * width + c];
        positions[static_cast<std::size_t>(places[n].position) * width + c] += values[n * width + c];
      }
    kernels::embedding_backward(queue_, integers(rows.ids), pack(rows.packing), rows.dout, dtable, dpositions);
    EXPECT_TRUE(read(dtable) == table) << "vocabulary " << s.vocabulary;
    EXPECT_TRUE(read(dpositions) == positions) << "vocabulary " << s.vocabulary;
  }
}

TEST_P(EmbeddingOfManyRowsTest, TheSameBitsEachTime) {
  const Size size{{300, 0, 210}, 300, 21, 40};
  const Rows rows = whole_numbers(size);
  const Tensor dout = random_rows(rows.packing, size.width), ids = integers(rows.ids);
  Values table, positions;
  for (int i = 0; i < 3; ++i) {
    const Tensor dtable = zeros(DType::f32, {size.vocabulary, size.width});
    const Tensor dpositions = zeros(DType::f32, {size.longest, size.width});
    kernels::embedding_backward(queue_, ids, pack(rows.packing), dout, dtable, dpositions);
    if (i == 0) table = read(dtable), positions = read(dpositions);
    EXPECT_EQ(read(dtable), table);
    EXPECT_EQ(read(dpositions), positions);
  }
}

// f32 sums of these in another order than that of the rows give other bits: 1e8 + 1 - 1e8 is 0, 1e8 - 1e8 + 1 is 1.
TEST_P(EmbeddingTest, SumsInRowOrder) {
  const double large = 0x1p27;
  const kernels::PackedRows rows = pack(packing({2, 1}, 3));
  const Tensor ids = integers({1, 1, 1});
  const Tensor dtable = zeros(DType::f32, {2, 1});
  kernels::embedding_backward(queue_, ids, rows, make({3, 1}, {large, 1, -large}), dtable, {});
  EXPECT_EQ(read(dtable), (Values{0, 0}));
  kernels::embedding_backward(queue_, ids, rows, make({3, 1}, {large, -large, 1}), dtable, {});
  EXPECT_EQ(read(dtable), (Values{0, 1}));
}

TEST_P(EmbeddingTest, RefusesWhatDoesNotFit) {
  const Tensor table = random({3, 2}), out = zeros({2, 2}), ids = integers({0, 1});
  const kernels::PackedRows rows = pack(packing({2}, 2)), fewer = pack(packing({1}, 1));
  EXPECT_THROW(kernels::embedding_forward(queue_, integers({0, 1, 2}), rows, table, {}, out), Error);
  EXPECT_THROW(kernels::embedding_forward(queue_, ids, fewer, table, {}, out), Error) << "2 rows of 1";
  EXPECT_THROW(kernels::embedding_forward(queue_, ids, rows, table, random({2, 3}), out), Error);
  const Tensor dtable = zeros(DType::f32, {3, 2});
  EXPECT_THROW(kernels::embedding_backward(queue_, ids, rows, out, zeros(DType::bf16, {3, 2}), {}), Error);
  EXPECT_THROW(kernels::embedding_backward(queue_, ids, rows, out, dtable, zeros(DType::f32, {2, 3})), Error);
  EXPECT_THROW(kernels::positions_forward(queue_, rows, random({2, 3}), out), Error);
  EXPECT_THROW(kernels::positions_backward(queue_, rows, out, zeros(DType::bf16, {2, 2})), Error);
}

TEST_P(EmbeddingTest, RefusesTokensAndPositionsThatAreNotThere) {
  if (!refuses_contents()) GTEST_SKIP() << "this device does not look";
  const Tensor table = random({3, 2}), out = zeros({2, 2});
  const kernels::PackedRows rows = pack(packing({2}, 2));
  EXPECT_THROW(kernels::embedding_forward(queue_, integers({0, 3}), rows, table, {}, out), Error);
  EXPECT_THROW(kernels::embedding_forward(queue_, integers({-1, 0}), rows, table, {}, out), Error);
  EXPECT_THROW(kernels::embedding_forward(queue_, integers({1, 0}), rows, table, random({1, 2}), out), Error);
  EXPECT_THROW(kernels::positions_forward(queue_, rows, random({1, 2}), out), Error) << "two tokens, one position";
  EXPECT_THROW(kernels::positions_backward(queue_, rows, out, zeros(DType::f32, {1, 2})), Error);
}

}  // namespace
}  // namespace tenfold::test

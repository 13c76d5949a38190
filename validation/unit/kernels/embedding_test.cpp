#include "kernels/embedding.hpp"

#include <numeric>

#include "op_test.hpp"

namespace tenfold::test {
namespace {

struct Size {
  std::int64_t batch, length, width, vocabulary;
};
/// The last two have more rows than one thread takes at once.
constexpr Size sizes[] = {{1, 1, 1, 1}, {3, 5, 1, 4}, {3, 5, 5, 4}, {27, 5, 64, 7}, {11, 3, 257, 4}};

class EmbeddingTest : public OpTest {
 protected:
  Values tokens(const Size& size) {
    std::uniform_int_distribution<std::int64_t> draw(0, size.vocabulary - 1);
    Values values(static_cast<std::size_t>(size.batch * size.length));
    for (double& value : values) value = static_cast<double>(draw(generator_));
    return values;
  }

  static Values reference(const Size& size, const Values& ids, const Values& table, const Values& positions) {
    Values out;
    const auto width = static_cast<std::size_t>(size.width), length = static_cast<std::size_t>(size.length);
    for (std::size_t row = 0; row < ids.size(); ++row)
      for (std::size_t c = 0; c < width; ++c)
        out.push_back(table[static_cast<std::size_t>(ids[row]) * width + c] + positions[row % length * width + c]);
    return out;
  }
};
TENFOLD_F32_AND_BF16(EmbeddingTest);

TEST_P(EmbeddingTest, LooksUpAndAddsPositions) {
  const Tensor table = make({3, 2}, {1, 2, 3, 4, 5, 6});
  const Tensor positions = make({2, 2}, {10, 20, 30, 40});
  const Tensor ids = make(DType::i32, {4}, {2, 0, 1, 1});
  const Tensor out = poisoned({4, 2});
  kernels::embedding_forward(queue_, ids, table, positions, out);
  EXPECT_EQ(read(out), (Values{15, 26, 31, 42, 13, 24, 33, 44}));
  kernels::embedding_forward(queue_, ids, table, {}, out);
  EXPECT_EQ(read(out), (Values{5, 6, 1, 2, 3, 4, 3, 4}));
}

TEST_P(EmbeddingTest, ForwardAgreesWithTheDefinition) {
  for (const Size& s : sizes) {
    const Values ids = tokens(s);
    const Tensor table = random({s.vocabulary, s.width}), positions = random({s.length, s.width});
    const Tensor out = poisoned({s.batch * s.length, s.width});
    kernels::embedding_forward(queue_, make(DType::i32, {s.batch * s.length}, ids), table, positions, out);
    expect_close(read(out), reference(s, ids, read(table), read(positions)), tolerance(), text("width ", s.width));
  }
}

TEST_P(EmbeddingTest, PositionsAddToTheRowsOfEverySequence) {
  for (const Size& s : sizes) {
    const Tensor x = random({s.batch * s.length, s.width}), positions = random({s.length, s.width});
    Values each_row(static_cast<std::size_t>(s.batch * s.length));
    std::iota(each_row.begin(), each_row.end(), 0);
    const Values expected = reference(s, each_row, read(x), read(positions));
    kernels::positions_forward(queue_, positions, x);
    expect_close(read(x), expected, tolerance(), text("width ", s.width));
  }
}

TEST_P(EmbeddingTest, BackwardAddsTheGradient) {
  for (const Size& s : sizes) {
    const Values ids = tokens(s);
    Values lengths;
    for (std::int64_t b = 0; b < s.batch; ++b) lengths.push_back(static_cast<double>(s.length - b % (s.length + 1)));
    const Tensor dout = random({s.batch * s.length, s.width});
    Values upstream = read(dout);
    for (std::size_t i = 0; i < upstream.size(); ++i) {
      const auto row = static_cast<std::int64_t>(i) / s.width;
      if (static_cast<double>(row % s.length) >= lengths[static_cast<std::size_t>(row / s.length)]) upstream[i] = 0;
    }
    const Tensor dtable = random(DType::f32, {s.vocabulary, s.width});
    const Tensor dpositions = random(DType::f32, {s.length, s.width});
    const Values table(static_cast<std::size_t>(dtable.elements())), before = read(dpositions);
    const Values positions(before.size());
    const Tensor alone = make(DType::f32, dpositions.shape(), before);
    // The op is linear: differences are exact at any point and of any width.
    const Values to_table =
        sum(read(dtable),
            finite_difference([&](const Values& point) { return dot(upstream, reference(s, ids, point, positions)); },
                              table, 1));
    const Values to_positions = sum(
        before, finite_difference([&](const Values& point) { return dot(upstream, reference(s, ids, table, point)); },
                                  positions, 1));

    const Tensor counts = make(DType::i32, {s.batch}, lengths);
    kernels::embedding_backward(queue_, make(DType::i32, {s.batch * s.length}, ids), counts, dout, dtable, dpositions);
    expect_close(read(dtable), to_table, 2e-6, "dtable");
    expect_close(read(dpositions), to_positions, 2e-6, "dpositions");
    kernels::positions_backward(queue_, counts, dout, alone);
    expect_close(read(alone), to_positions, 2e-6, "dpositions alone");
  }
}

// f32 sums of these in another order than that of the rows give other bits: 1e8 + 1 - 1e8 is 0, 1e8 - 1e8 + 1 is 1.
TEST_P(EmbeddingTest, SumsInRowOrder) {
  const double large = 0x1p27;
  const Tensor lengths = make(DType::i32, {1}, {3});
  const Tensor ids = make(DType::i32, {3}, {1, 1, 1});
  const Tensor dtable = zeros(DType::f32, {2, 1});
  kernels::embedding_backward(queue_, ids, lengths, make({3, 1}, {large, 1, -large}), dtable, {});
  EXPECT_EQ(read(dtable), (Values{0, 0}));
  kernels::embedding_backward(queue_, ids, lengths, make({3, 1}, {large, -large, 1}), dtable, {});
  EXPECT_EQ(read(dtable), (Values{0, 1}));
}

TEST_P(EmbeddingTest, RefusesWhatDoesNotFit) {
  const Tensor table = random({3, 2}), out = zeros({2, 2}), lengths = make(DType::i32, {1}, {2});
  EXPECT_THROW(kernels::embedding_forward(queue_, make(DType::i32, {2}, {0, 3}), table, {}, out), Error);
  EXPECT_THROW(kernels::embedding_forward(queue_, make(DType::i32, {2}, {-1, 0}), table, {}, out), Error);
  EXPECT_THROW(kernels::embedding_forward(queue_, make(DType::i32, {3}, {0, 1, 2}), table, {}, out), Error);
  const Tensor ids = make(DType::i32, {2}, {0, 1}), dtable = zeros(DType::f32, {3, 2});
  EXPECT_THROW(kernels::embedding_backward(queue_, ids, lengths, out, zeros(DType::bf16, {3, 2}), {}), Error);
  EXPECT_THROW(kernels::embedding_backward(queue_, ids, lengths, out, dtable, zeros(DType::f32, {3, 2})), Error);
  EXPECT_THROW(kernels::positions_forward(queue_, table, out), Error);
  EXPECT_THROW(kernels::positions_backward(queue_, lengths, out, zeros(DType::f32, {3, 2})), Error);
}

}  // namespace
}  // namespace tenfold::test

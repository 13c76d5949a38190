#include "kernels/embedding.hpp"

#include "op_test.hpp"

namespace tenfold::test {
namespace {

class EmbeddingTest : public OpTest {
 protected:
  Values tokens(std::int64_t count, std::int64_t vocabulary) {
    std::uniform_int_distribution<std::int64_t> draw(0, vocabulary - 1);
    Values values(static_cast<std::size_t>(count));
    for (double& value : values) value = static_cast<double>(draw(generator_));
    return values;
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

TEST_P(EmbeddingTest, BackwardAddsUpWhatEachTokenAndPositionReceived) {
  struct Size {
    std::int64_t batch, length, width, vocabulary;
  };
  for (const Size& s : {Size{1, 1, 1, 1}, Size{3, 5, 7, 4}, Size{2, 40, 257, 7}}) {
    const Values ids = tokens(s.batch * s.length, s.vocabulary);
    Values lengths(static_cast<std::size_t>(s.batch));
    for (std::size_t b = 0; b < lengths.size(); ++b)
      lengths[b] = std::max(1.0, static_cast<double>(s.length) - 2.0 * static_cast<double>(b));
    const Tensor dout = random({s.batch * s.length, s.width});
    const Tensor dtable = random(DType::f32, {s.vocabulary, s.width});
    const Tensor dpositions = random(DType::f32, {s.length, s.width});
    Values table = read(dtable), positions = read(dpositions);
    const Values upstream = read(dout);
    for (std::int64_t b = 0; b < s.batch; ++b)
      for (std::int64_t t = 0; t < s.length; ++t)
        for (std::int64_t c = 0; c < s.width; ++c) {
          if (static_cast<double>(t) >= lengths[static_cast<std::size_t>(b)]) continue;
          const auto row = static_cast<std::size_t>(b * s.length + t), column = static_cast<std::size_t>(c);
          const auto width = static_cast<std::size_t>(s.width);
          table[static_cast<std::size_t>(ids[row]) * width + column] += upstream[row * width + column];
          positions[static_cast<std::size_t>(t) * width + column] += upstream[row * width + column];
        }
    kernels::embedding_backward(queue_, make(DType::i32, {s.batch * s.length}, ids),
                                make(DType::i32, {s.batch}, lengths), dout, dtable, dpositions);
    expect_close(read(dtable), table, 2e-6, "dtable");
    expect_close(read(dpositions), positions, 2e-6, "dpositions");
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
}

}  // namespace
}  // namespace tenfold::test

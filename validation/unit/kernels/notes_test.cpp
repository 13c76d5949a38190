#include "kernels/notes.hpp"

#include "op_test.hpp"

namespace tenfold::test {
namespace {

class NotesTest : public OpTest {
 protected:
  /// x after mixing into the rows of the first `count` occurrences.
  Values mix(const Tensor& x, const Values& begin, const Values& end, double count, const Tensor& notes, float share,
             bool rescale = false) {
    const auto capacity = static_cast<std::int64_t>(begin.size());
    kernels::mix_notes(queue_, make(DType::i32, {capacity}, begin), make(DType::i32, {capacity}, end),
                       make(DType::i32, {1}, {count}), notes, share, rescale, x);
    return read(x);
  }
  Values pool(const Tensor& hidden, const Values& begin, const Values& end, double count, const Tensor& notes) {
    const auto capacity = static_cast<std::int64_t>(begin.size());
    kernels::pool_windows(queue_, hidden, make(DType::i32, {capacity}, begin), make(DType::i32, {capacity}, end),
                          make(DType::i32, {1}, {count}), notes);
    return read(notes);
  }
  Values update(const Tensor& table, const Values& row, const Values& first, const Tensor& values, float rate) {
    kernels::update_notes(queue_, make(DType::i32, {static_cast<std::int64_t>(row.size())}, row),
                          make(DType::i32, {static_cast<std::int64_t>(first.size())}, first), values, rate, table);
    return read(table);
  }
};
TENFOLD_F32_AND_BF16(NotesTest);

TEST_P(NotesTest, MixesIntoTheRowsOfTheOccurrencesThatCount) {
  const Tensor x = make({5, 2}, {1, 2, 3, 4, 5, 6, 7, 8, 9, 10});
  const Tensor notes = make(DType::f32, {3, 2}, {16, 32, -8, 0, 99, 99});
  EXPECT_EQ(mix(x, {1, 4, 0}, {3, 5, 1}, 2, notes, 0.25F), (Values{1, 2, 6.25, 11, 7.75, 12.5, 7, 8, 4.75, 7.5}));
}

TEST_P(NotesTest, MixingNothingLeavesEveryBit) {
  const Tensor x = random({7, 33});
  Values before = read(x);
  before[3] = -0.0;
  const Tensor same = make({7, 33}, before);
  const Values after = mix(same, {0}, {7}, 1, make(DType::f32, {1, 33}, Values(33, NAN)), 0, true);
  for (std::size_t i = 0; i < before.size(); ++i)
    EXPECT_EQ(std::bit_cast<std::uint64_t>(after[i]), std::bit_cast<std::uint64_t>(before[i]));
}

TEST_P(NotesTest, RescalingGivesTheNoteTheSizeOfEachRow) {
  const Tensor x = make({3, 2}, {3, 4, 30, 40, 7, 1});
  const Tensor notes = make(DType::f32, {1, 2}, {0, 0.5});
  EXPECT_EQ(mix(x, {0}, {2}, 1, notes, 0.5F, true), (Values{1.5, 4.5, 15, 45, 7, 1}));
  const Tensor y = make({1, 2}, {3, 4});
  EXPECT_EQ(mix(y, {0}, {1}, 1, zeros(DType::f32, {1, 2}), 0.5F, true), (Values{1.5, 2})) << "a note of zeros";
}

TEST_P(NotesTest, MixingAgreesWithItsFormulaAtOddWidths) {
  for (std::int64_t width : {1, 37, 259, 264}) {
    const Tensor x = random({4, width}), notes = random(DType::f32, {1, width});
    const Values before = read(x), note = read(notes);
    for (bool rescale : {false, true}) {
      const Values after = mix(make({4, width}, before), {1}, {3}, 1, notes, 0.5F, rescale);
      Values expected = before;
      for (std::size_t n = 1; n < 3; ++n) {
        double rows = 0, squares = 0;
        for (std::size_t c = 0; c < note.size(); ++c) {
          rows += before[n * note.size() + c] * before[n * note.size() + c];
          squares += note[c] * note[c];
        }
        const double scale = rescale ? std::sqrt(rows / squares) : 1;
        for (std::size_t c = 0; c < note.size(); ++c)
          expected[n * note.size() + c] = 0.5 * before[n * note.size() + c] + 0.5 * scale * note[c];
      }
      expect_close(after, expected, tolerance());
    }
  }
}

TEST_P(NotesTest, NoOccurrenceChangesNothing) {
  const Tensor x = random({4, 3}), notes = random(DType::f32, {2, 3});
  const Values before = read(x), old = read(notes);
  EXPECT_EQ(mix(x, {9, 9}, {-1, 10}, 0, notes, 0.5F, true), before);
  kernels::mix_notes_backward(queue_, integers({9, 9}), integers({-1, 10}), integers({0}), 0.5F, x);
  EXPECT_EQ(read(x), before);
  EXPECT_EQ(pool(x, {9, 9}, {-1, 10}, 0, notes), old);
}

// <mix(x + d) - mix(x), y> = <d, backward(y)>: without rescaling the map is affine.
TEST_P(NotesTest, BackwardIsTheFactorOnTheEmbedding) {
  const Tensor dx = make({4, 2}, {8, 16, 24, 32, 40, 48, 56, 64});
  kernels::mix_notes_backward(queue_, make(DType::i32, {2}, {0, 3}), make(DType::i32, {2}, {2, 4}),
                              make(DType::i32, {1}, {1}), 0.25F, dx);
  EXPECT_EQ(read(dx), (Values{6, 12, 18, 24, 40, 48, 56, 64}));
  const Values direction{1, -2, 4, 0.5, 2, 2, -1, 8}, y = normal(8);
  const Tensor notes = make(DType::f32, {1, 2}, {1, -1});
  const Values at = mix(make({4, 2}, direction), {1}, {3}, 1, notes, 0.5F),
               origin = mix(zeros({4, 2}), {1}, {3}, 1, notes, 0.5F);
  const Tensor gradient = make({4, 2}, y);
  const Values before = read(gradient);
  kernels::mix_notes_backward(queue_, make(DType::i32, {1}, {1}), make(DType::i32, {1}, {3}),
                              make(DType::i32, {1}, {1}), 0.5F, gradient);
  EXPECT_NEAR(dot(at, before) - dot(origin, before), dot(direction, read(gradient)), 1e-6);
}

TEST_P(NotesTest, AWindowIsTheMeanOfItsRows) {
  const Tensor hidden = make({4, 2}, {1, 2, 3, 4, 5, 6, 8, 8});
  const Tensor notes = make(DType::f32, {4, 2}, Values(8, 77));
  EXPECT_EQ(pool(hidden, {0, 3, 1, 0}, {2, 4, 4, 4}, 2, notes), (Values{2, 3, 8, 8, 77, 77, 77, 77}));
  EXPECT_EQ(pool(hidden, {2, 0}, {3, 4}, 2, zeros(DType::f32, {2, 2})), (Values{5, 6, 4.25, 5})) << "one row, and all";
}

TEST_P(NotesTest, AWindowOfManyRowsAtOddWidths) {
  for (std::int64_t width : {1, 37, 259, 264}) {
    const Tensor hidden = random({50, width});
    const Values h = read(hidden);
    Values mean(static_cast<std::size_t>(width));
    for (std::size_t n = 9; n < 42; ++n)
      for (std::size_t c = 0; c < mean.size(); ++c) mean[c] += h[n * mean.size() + c] / 33;
    const Values note = pool(hidden, {9}, {42}, 1, zeros(DType::f32, {1, width}));
    for (std::size_t c = 0; c < mean.size(); ++c) EXPECT_NEAR(note[c], mean[c], 1e-6);
  }
}

TEST_P(NotesTest, AnUpdateIsOneStepTowardsTheMeanOfAKey) {
  const Tensor table = make(DType::f32, {3, 2}, {8, 16, 24, 32, 40, 48});
  const Tensor values = make(DType::f32, {4, 2}, {0, 0, 4, 8, 8, 16, 100, 200});
  EXPECT_EQ(update(table, {2, 0}, {0, 3, 4}, values, 0.25F), (Values{31, 62, 24, 32, 31, 38}));
  EXPECT_EQ(update(make(DType::f32, {1, 2}, {5, 6}), {0}, {1, 2}, values, 1), (Values{4, 8})) << "rate 1 stores";
  EXPECT_EQ(update(make(DType::f32, {1, 2}, {5, 6}), {0}, {1, 2}, values, 0), (Values{5, 6}));
  EXPECT_EQ(update(make(DType::f32, {1, 2}, {5, 6}), {}, {0}, values, 1), (Values{5, 6})) << "no keys";
}

TEST_P(NotesTest, AnUpdateDoesNotDependOnTheOtherKeysOfTheCall) {
  const Tensor values = random(DType::f32, {6, 19});
  const Tensor start = random(DType::f32, {4, 19});
  const Tensor together = make(DType::f32, {4, 19}, read(start)), apart = make(DType::f32, {4, 19}, read(start));
  update(together, {3, 1}, {0, 2, 6}, values, 0.1F);
  update(apart, {1}, {2, 6}, values, 0.1F);
  update(apart, {3}, {0, 2}, values, 0.1F);
  EXPECT_EQ(read(together), read(apart));
}

TEST_P(NotesTest, RefusesWhatDoesNotFit) {
  const Tensor x = random({4, 3}), notes = random(DType::f32, {1, 3});
  EXPECT_THROW(mix(x, {0}, {1}, 1, notes, 1.5F), Error);
  if (!refuses_contents()) return;
  EXPECT_THROW(mix(x, {2}, {5}, 1, notes, 0.5F), Error) << "row 5 of 4";
  EXPECT_THROW(mix(x, {2}, {2}, 1, notes, 0.5F), Error) << "no rows";
  EXPECT_THROW(mix(x, {0}, {1}, 2, notes, 0.5F), Error) << "two of one";
  EXPECT_THROW(update(notes, {1}, {0, 1}, notes, 0.1F), Error) << "key 1 of 1";
  EXPECT_THROW(update(notes, {0}, {0, 2}, notes, 0.1F), Error) << "two values of one";
  EXPECT_THROW(update(notes, {0}, {1, 1}, notes, 0.1F), Error) << "no values";
}

}  // namespace
}  // namespace tenfold::test

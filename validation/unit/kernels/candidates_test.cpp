#include "kernels/candidates.hpp"

#include <algorithm>

#include "op_test.hpp"

namespace tenfold::test {
namespace {

class CandidatesTest : public OpTest {
 protected:
  struct Questions {
    Values candidates, labels;
  };
  Questions questions(const Values& original, const Values& replaced, const Values& negatives, double k,
                      std::int64_t slots) {
    const auto rows = static_cast<std::int64_t>(original.size());
    const Tensor candidates = poisoned(DType::i32, {rows, slots}), labels = poisoned(DType::i32, {rows});
    kernels::make_questions(queue_, integers(original), integers(replaced),
                            make(DType::i32, {rows, slots - 1}, negatives), integers({k}), 5, candidates, labels);
    return {read(candidates), read(labels)};
  }

  /// Positions, their candidates and the parameters that score them.
  struct Head {
    Tensor hidden, table, bias;
    Values candidates, labels;
    Packing packing;
    std::size_t slots;
    double weight = 1;
  };
  struct Result {
    Values losses, choice, dhidden, dtable, dbias;
  };
  /// dtable and dbias start at `before`.
  Result run(const Head& head, double before = 0) {
    const std::int64_t rows = head.hidden[0];
    const Tensor losses = poisoned(DType::f32, {rows}), choice = poisoned(DType::i32, {rows}),
                 dhidden = poisoned(head.hidden.shape());
    const Tensor dtable = make(DType::f32, head.table.shape(), Values(std::size_t(head.table.elements()), before)),
                 dbias = make(DType::f32, {head.table[0]}, Values(std::size_t(head.table[0]), before));
    kernels::candidate_loss(queue_, head.hidden, pack(head.packing), head.table, head.bias,
                            make(DType::i32, {rows, std::int64_t(head.slots)}, head.candidates), integers(head.labels),
                            scalar(DType::f32, head.weight), losses, choice, dhidden, dtable, dbias);
    return {read(losses), read(choice), read(dhidden), read(dtable), read(dbias)};
  }
  /// Candidates and labels as questions have them, with some slots empty; two rows belong to no sequence.
  Head random_head(std::int64_t width) {
    const std::int64_t vocabulary = 9;
    const Packing rows = packing({3, 0, 1}, 6);
    Head head{random_rows(rows, width), random({vocabulary, width}), random(DType::f32, {vocabulary}), {}, {}, rows, 4};
    head.candidates = {5, 1, 2, 3, 5, 0, 8, -1, 5, 4, -1, -1, 5, 7, 6, 5, -1, -1, -1, -1, -1, -1, -1, -1};
    head.labels = {0, 1, 1, 0, -1, -1};
    head.weight = 0.37;
    return head;
  }
};
TENFOLD_F32_AND_BF16(CandidatesTest);

/// Losses of all positions in double precision.
Values losses_of(const Values& hidden, const Values& table, const Values& bias, const Values& candidates,
                 const Values& labels, const Packing& packing, std::size_t slots) {
  const std::size_t rows = labels.size(), width = hidden.size() / rows;
  Values losses(rows);
  for (std::size_t n = 0; n < static_cast<std::size_t>(packing.filled()); ++n) {
    double sum = 0, truth = 0;
    for (std::size_t slot = 0; slot < slots; ++slot) {
      if (candidates[n * slots + slot] < 0) continue;
      const auto token = static_cast<std::size_t>(candidates[n * slots + slot]);
      double score = bias[token];
      for (std::size_t c = 0; c < width; ++c) score += hidden[n * width + c] * table[token * width + c];
      sum += std::exp(score);
      if (static_cast<double>(slot) == labels[n]) truth = score;
    }
    losses[n] = std::log(sum) - truth;
  }
  return losses;
}

TEST_P(CandidatesTest, AQuestionHasNotaTheTruthWhereReplacedAndNegatives) {
  const Questions made = questions({10, 11, 12}, {0, 1, 1}, {20, 21, 22, 23, 30, 31, 32, 33, 40, -1, -1, -1}, 5, 5);
  EXPECT_EQ(made.candidates, (Values{5, 20, 21, 22, 23, 5, 11, 30, 31, 32, 5, 12, 40, -1, -1}));
  EXPECT_EQ(made.labels, (Values{0, 1, 1}));
}

TEST_P(CandidatesTest, FewerCandidatesThanSlotsLeaveTheRestEmpty) {
  const Questions three = questions({10, 11}, {0, 1}, {20, 21, 22, 23, 30, 31, 32, 33}, 3, 5);
  EXPECT_EQ(three.candidates, (Values{5, 20, 21, -1, -1, 5, 11, 30, -1, -1}));
  EXPECT_EQ(questions({11}, {1}, {30, 31}, 2, 3).candidates, (Values{5, 11, -1}));
  if (!refuses_contents()) return;
  EXPECT_THROW(questions({11}, {1}, {30, 31}, 4, 3), Error);
  EXPECT_THROW(questions({11}, {1}, {30, 31}, 1, 3), Error);
}

TEST_P(CandidatesTest, LossAndGradients) {
  for (std::int64_t width : {1, 5, 33}) {
    const Head head = random_head(width);
    const Result result = run(head);
    const Values h = filled_rows(read(head.hidden), head.packing), t = read(head.table), b = read(head.bias);
    const auto losses = [&](const Values& hidden, const Values& table, const Values& bias) {
      return losses_of(hidden, table, bias, head.candidates, head.labels, head.packing, head.slots);
    };
    expect_close(result.losses, losses(h, t, b), 4e-6, "losses");
    const auto total = [&](const Values& all) { return head.weight * dot(all, Values(all.size(), 1.0)); };
    expect_close(result.dhidden, finite_difference([&](const Values& p) { return total(losses(p, t, b)); }, h),
                 tolerance(), "dhidden");
    expect_close(result.dtable, finite_difference([&](const Values& p) { return total(losses(h, p, b)); }, t), 4e-6,
                 "dtable");
    expect_close(result.dbias, finite_difference([&](const Values& p) { return total(losses(h, t, p)); }, b), 4e-6,
                 "dbias");
  }
}

TEST_P(CandidatesTest, TableGradientsAreAddedAndRowsOfNoSequenceAddNothing) {
  Head head = random_head(7);
  const Result zero = run(head), one = run(head, 1);
  for (std::size_t i = 0; i < zero.dtable.size(); ++i) EXPECT_NEAR(one.dtable[i], zero.dtable[i] + 1, 1e-6);
  for (std::size_t i = 0; i < zero.dbias.size(); ++i) EXPECT_NEAR(one.dbias[i], zero.dbias[i] + 1, 1e-6);
  head.packing = packing({0, 0}, 6);
  const Result none = run(head, 1);
  EXPECT_EQ(none.dtable, Values(zero.dtable.size(), 1.0));
  EXPECT_EQ(none.dhidden, Values(zero.dhidden.size(), 0.0));
  EXPECT_EQ(none.losses, Values(6, 0.0));
  EXPECT_EQ(none.choice, Values(6, 0.0));
}

// One candidate in every row, some in many, most in one; more of them than two bytes tell apart.
TEST_P(CandidatesTest, AmongThousandsEachCandidateGetsItsRows) {
  const std::int64_t rows = 700, width = 3, vocabulary = 70'000, slots = 4;
  const Packing packed = packing({300, 399}, rows);
  Head head{random_rows(packed, width), random({vocabulary, width}), random(DType::f32, {vocabulary}), {}, {}, packed,
            std::size_t(slots)};
  for (std::int64_t n = 0; n < rows; ++n) {
    for (const std::int64_t token : {std::int64_t{5}, 65'535 + n % 9, n * 7919 % 65'535, vocabulary - 1 - n / 64})
      head.candidates.push_back(static_cast<double>(token));
    head.labels.push_back(static_cast<double>(n % 4));
  }
  const Result result = run(head), again = run(head);
  const Values hidden = read(head.hidden), table = read(head.table), bias = read(head.bias);
  Values dtable(table.size()), dbias(bias.size());
  for (std::size_t n = 0; n < static_cast<std::size_t>(packed.filled()); ++n) {
    Values weights;
    for (std::size_t slot = 0; slot < slots; ++slot) {
      const auto token = static_cast<std::size_t>(head.candidates[n * slots + slot]);
      double score = bias[token];
      for (std::size_t c = 0; c < width; ++c) score += hidden[n * width + c] * table[token * width + c];
      weights.push_back(std::exp(score));
    }
    const double sum = dot(weights, Values(slots, 1.0));
    for (std::size_t slot = 0; slot < slots; ++slot) {
      const auto token = static_cast<std::size_t>(head.candidates[n * slots + slot]);
      const double slope = weights[slot] / sum - (static_cast<double>(slot) == head.labels[n] ? 1 : 0);
      dbias[token] += slope;
      for (std::size_t c = 0; c < width; ++c) dtable[token * width + c] += slope * hidden[n * width + c];
    }
  }
  for (std::size_t i = 0; i < table.size(); ++i) ASSERT_NEAR(result.dtable[i], dtable[i], 1e-4) << i;
  for (std::size_t i = 0; i < bias.size(); ++i) ASSERT_NEAR(result.dbias[i], dbias[i], 1e-4) << i;
  EXPECT_EQ(result.dtable, again.dtable);
  EXPECT_EQ(result.dbias, again.dbias);
}

// Bit for bit: what else is in the batch and where a sequence lies in it do not matter.
TEST_P(CandidatesTest, ASequenceIsTheSameAloneAndAmongOthers) {
  const std::int64_t width = 37, vocabulary = 50, slots = 6;
  const Packing packed = packing({20, 1, 0, 33, 8});
  Head head{random_rows(packed, width), random({vocabulary, width}), random(DType::f32, {vocabulary}), {}, {}, packed,
            std::size_t(slots)};
  for (std::int64_t n = 0; n < packed.rows; ++n) {
    for (std::int64_t slot = 0; slot < slots; ++slot)
      head.candidates.push_back(static_cast<double>((n * 11 + slot * 7) % vocabulary));
    head.labels.push_back(static_cast<double>(n % 2));
  }
  const Result among = run(head);
  for (std::size_t b = 0; b < packed.lengths.size(); ++b) {
    Head own = head;
    own.packing = packed.alone(b);
    own.packing.rows = packed.lengths[b];
    if (own.packing.rows == 0) continue;
    own.hidden = head.hidden.rows(packed.begin(b), packed.lengths[b]);
    own.candidates = rows_of(head.candidates, packed, b);
    own.labels = rows_of(head.labels, packed, b);
    const Result result = run(own);
    EXPECT_EQ(result.losses, rows_of(among.losses, packed, b)) << "sequence " << b;
    EXPECT_EQ(result.choice, rows_of(among.choice, packed, b)) << "sequence " << b;
    EXPECT_EQ(result.dhidden, rows_of(among.dhidden, packed, b)) << "sequence " << b;
  }
}

TEST_P(CandidatesTest, WithoutGradientsTheLossIsTheSame) {
  const Head head = random_head(33);
  const Tensor losses = poisoned(DType::f32, {6}), choice = zeros(DType::i32, {6});
  kernels::candidate_loss(queue_, head.hidden, pack(head.packing), head.table, head.bias,
                          make(DType::i32, {6, 4}, head.candidates), integers(head.labels), scalar(DType::f32, 1),
                          losses, choice, {}, {}, {});
  const Result whole = run(head);
  EXPECT_EQ(read(losses), whole.losses);
  EXPECT_EQ(read(choice), whole.choice);
}

TEST_P(CandidatesTest, WhoKnowsNothingLosesTheLogarithmOfTheCandidates) {
  for (std::int64_t k : {2, 10, 20}) {
    Head head{zeros({1, 16}), random({40, 16}), zeros(DType::f32, {40}), {}, {1}, packing({1}, 1), std::size_t(k)};
    for (std::int64_t slot = 0; slot < k; ++slot) head.candidates.push_back(static_cast<double>(slot * 2));
    const Result result = run(head);
    EXPECT_NEAR(result.losses[0], std::log(static_cast<double>(k)), 1e-6);
    EXPECT_EQ(result.choice[0], 0) << "the first of equals";
  }
}

TEST_P(CandidatesTest, TheChoiceIsTheGreatestScore) {
  const Head head{zeros({2, 1}),
                  zeros({4, 1}),
                  make(DType::f32, {4}, {-3, 50, 2, -90}),
                  {0, 2, 3, -1, 3, 0, 1, 2},
                  {0, 2},
                  packing({2}, 2),
                  4};
  const Result result = run(head);
  EXPECT_EQ(result.choice, (Values{1, 2}));
  expect_close(result.losses, {5 + std::log1p(std::exp(-5.0)), 0}, 1e-6);
}

TEST_P(CandidatesTest, AScoreThatIsNotFiniteShows) {
  Head head = random_head(5);
  Values hidden = read(head.hidden);
  hidden[0] = NAN;
  head.hidden = make({6, 5}, hidden);
  const Result result = run(head);
  EXPECT_FALSE(std::isfinite(result.losses[0]));
  EXPECT_TRUE(std::isfinite(result.losses[1]));
}

TEST_P(CandidatesTest, RefusesWhatDoesNotFit) {
  if (!refuses_contents()) GTEST_SKIP() << "this device does not look";
  Head head = random_head(5);
  head.labels[1] = 3;
  EXPECT_THROW(run(head), Error) << "an empty slot";
  head = random_head(5);
  head.candidates[0] = 9;
  EXPECT_THROW(run(head), Error) << "token 9 of 9";
}

}  // namespace
}  // namespace tenfold::test

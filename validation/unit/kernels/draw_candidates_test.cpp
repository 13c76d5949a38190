#include "kernels/draw_candidates.hpp"

#include <algorithm>
#include <numeric>

#include "chi_square.hpp"
#include "draw_agreement.hpp"
#include "host_twin.hpp"

namespace tenfold::test {
namespace {

class DrawCandidatesTest : public OpTest {
 protected:
  /// One call.
  struct Call {
    Tensor hidden, table, bias;
    Packing packing;
    Values truth, excluded;
    double temperature = 1;
    std::int64_t count = 1, slots = 1;
    bool replace = false;
    double step = 3;
  };
  kernels::CandidateDraws law(const Call& call) {
    return {{pack(call.packing), stream_key(1, "candidates"), scalar(DType::i64, call.step)}, call.replace};
  }
  Values draw(const Call& call) {
    const Tensor negatives = poisoned(DType::i32, {call.hidden[0], call.slots});
    const Tensor workspace = arena_.allocate(
        DType::u8, {kernels::candidate_workspace_bytes(GetParam().device, call.table[0], call.table[1], storage())});
    const std::vector<std::byte> poison(workspace.bytes(), std::byte{255});
    queue_.copy_in(poison.data(), workspace);
    kernels::draw_candidates(queue_, call.hidden, call.table, call.bias, integers(call.truth), integers(call.excluded),
                             law(call), scalar(DType::f32, call.temperature),
                             integers({static_cast<double>(call.count)}), negatives, workspace);
    return negatives.elements() == 0 ? Values{} : read(negatives);
  }
  /// The same on the host.
  Values draw_on_host(const Call& call) {
    HostTwin twin(queue_);
    const kernels::CandidateDraws draws = law(call);
    const Tensor negatives = twin(poisoned(DType::i32, {call.hidden[0], call.slots}));
    const Tensor workspace = twin(zeros(
        DType::u8, {kernels::candidate_workspace_bytes(DeviceKind::host, call.table[0], call.table[1], storage())}));
    kernels::draw_candidates(twin.queue(), twin(call.hidden), twin(call.table), twin(call.bias),
                             twin(integers(call.truth)), twin(integers(call.excluded)),
                             {{twin(draws.draws.rows), draws.draws.key, twin(draws.draws.step)}, call.replace},
                             twin(scalar(DType::f32, call.temperature)),
                             twin(integers({static_cast<double>(call.count)})), negatives, workspace);
    const auto* drawn = negatives.data<std::int32_t>();
    return Values(drawn, drawn + negatives.elements());
  }
  /// Few trials do where the host is known to draw the same.
  static bool like_the_host() { return GetParam().device != DeviceKind::host; }
  static std::size_t slots_of(const Call& call) { return static_cast<std::size_t>(call.slots); }

  /// A call whose rows are all alike, of sequences of 128.
  Call alike(std::int64_t vocabulary, std::int64_t width, std::int64_t batch, double deviation) {
    if (like_the_host()) batch = std::min<std::int64_t>(batch, 4);
    const Tensor one = random({1, width}, deviation);
    Values hidden;
    for (std::int64_t n = 0; n < batch * 128; ++n)
      for (double value : read(one)) hidden.push_back(value);
    return {make({batch * 128, width}, hidden),
            random({vocabulary, width}, 1),
            random(DType::f32, {vocabulary}, 1),
            packing(std::vector<std::int64_t>(static_cast<std::size_t>(batch), 128)),
            Values(static_cast<std::size_t>(batch * 128), 1),
            {}};
  }
  /// Weights of the tokens for the first row.
  std::vector<double> weights(const Call& call) {
    const Values hidden = read(call.hidden), table = read(call.table), bias = read(call.bias);
    const auto width = static_cast<std::size_t>(call.table[1]);
    std::vector<double> weight;
    for (std::size_t v = 0; v < bias.size(); ++v) {
      double logit = bias[v];
      for (std::size_t c = 0; c < width; ++c) logit += hidden[c] * table[v * width + c];
      weight.push_back(std::exp(logit / call.temperature));
    }
    for (double id : call.excluded) weight[static_cast<std::size_t>(id)] = 0;
    if (!call.replace) weight[static_cast<std::size_t>(call.truth[0])] = 0;
    return weight;
  }
  /// What the first `depth` slots hold, over `steps` steps.
  Counts count(Call call, int depth, int steps) {
    Counts counts;
    if (like_the_host()) steps = 1;
    for (int step = 0; step < steps; ++step) {
      call.step = step;
      const Values negatives = draw(call);
      for (std::size_t n = 0; n < negatives.size(); n += slots_of(call)) {
        const auto begin = negatives.begin() + static_cast<std::ptrdiff_t>(n);
        ++counts[std::vector<int>(begin, begin + depth)];
      }
    }
    return counts;
  }
};
TENFOLD_F32_AND_BF16(DrawCandidatesTest);

TEST_P(DrawCandidatesTest, TriplesFollowTheLawOfSuccessiveDraws) {
  for (double temperature : {1.0, 0.5, 3.0}) {
    Call call = alike(7, 5, 64, 1);
    call.temperature = temperature;
    call.excluded = {0, 6};
    call.count = call.slots = 3;
    expect_law(count(call, 3, 4), law_of_draws(weights(call), 3, false));
  }
}

TEST_P(DrawCandidatesTest, WithReplacementPairsAreIndependentAndTheTruthMayBeDrawn) {
  Call call = alike(6, 5, 64, 1);
  call.excluded = {4};
  call.count = call.slots = 2;
  call.replace = true;
  expect_law(count(call, 2, 4), law_of_draws(weights(call), 2, true));
}

// Several tiles and blocks, the last ones in part filled; tokens in groups, since single ones are too rare to count.
TEST_P(DrawCandidatesTest, FirstAndSecondDrawFollowTheLawOverALargeVocabulary) {
  const std::int64_t vocabulary = 4500;
  Call call = alike(vocabulary, 16, 64, 0.5);
  call.excluded = {0, 2048, 4499};
  call.count = call.slots = 2;
  std::vector<double> weight = weights(call);
  const double total = std::accumulate(weight.begin(), weight.end(), 0.0);
  constexpr int groups = 75;
  Law first, second;
  std::vector<double> after(weight.size());  // the chance that each token is drawn second
  double ratios = 0;
  for (double w : weight) ratios += w / total / (total - w);
  for (std::size_t v = 0; v < weight.size(); ++v) {
    const int group = static_cast<int>(v) * groups / static_cast<int>(vocabulary);
    first[{group}] += weight[v] / total;
    second[{group}] += weight[v] * (ratios - weight[v] / total / (total - weight[v]));
  }
  Counts at_first, at_second;
  for (const auto& [pair, times] : count(call, 2, 4)) {
    at_first[{pair[0] * groups / static_cast<int>(vocabulary)}] += times;
    at_second[{pair[1] * groups / static_cast<int>(vocabulary)}] += times;
  }
  expect_law(at_first, first);
  expect_law(at_second, second);
}

TEST_P(DrawCandidatesTest, WhatIsLeftBesideATruthOfNearlyAllMassIsDrawnByItsOwnLaw) {
  Call call = alike(9, 1, 32, 0);  // logits are the bias alone
  call.bias = make(DType::f32, {9}, {0, 500, 1, 0.5, -1, 0, 2, -0.5, 1});
  call.count = call.slots = 2;
  expect_law(count(call, 2, 8), law_of_draws(weights(call), 2, false));
}

// Steps of e^-200: each draw must be the greatest of those left, in every block, though its weight is nothing beside
// what was drawn before.
TEST_P(DrawCandidatesTest, ALadderOfHopelessLogitsIsClimbedDown) {
  const std::int64_t vocabulary = 3000;
  Values bias(static_cast<std::size_t>(vocabulary));
  for (std::size_t v = 0; v < bias.size(); ++v) bias[v] = -2.0 * static_cast<double>(v * 1009 % 3000);
  for (double temperature : {0.01, 1e-3}) {
    Call call = alike(vocabulary, 3, 1, 0);
    call.bias = make(DType::f32, {vocabulary}, bias);
    call.truth.assign(128, 0);
    call.temperature = temperature;
    call.count = call.slots = 9;
    Values expected;
    for (int rung = 1; rung <= 9; ++rung)
      for (std::size_t v = 0; v < bias.size(); ++v)
        if (bias[v] == -2.0 * rung) expected.push_back(static_cast<double>(v));
    const Values negatives = draw(call);
    for (std::size_t n = 0; n < 128; ++n)
      EXPECT_EQ(Values(negatives.begin() + static_cast<std::ptrdiff_t>(9 * n),
                       negatives.begin() + static_cast<std::ptrdiff_t>(9 * n + 9)),
                expected);
  }
}

TEST_P(DrawCandidatesTest, CandidatesAreDistinctAndNeitherTruthNorExcluded) {
  for (std::int64_t vocabulary : {14, 300, 5000}) {
    const Packing rows = packing({37, 0, 1, 20, 36});
    Call call{random_rows(rows, 24), random({vocabulary, 24}), random(DType::f32, {vocabulary}), rows, {}, {}};
    for (std::int64_t n = 0; n < rows.rows; ++n) call.truth.push_back(static_cast<double>(n * 7 % vocabulary));
    call.excluded = {0, 2, 4, 5};
    call.count = 9;
    call.slots = 11;
    const Values negatives = draw(call);
    for (std::size_t n = 0; n < call.truth.size(); ++n) {
      const auto begin = negatives.begin() + static_cast<std::ptrdiff_t>(11 * n);
      Values drawn(begin, begin + 9);
      EXPECT_EQ(Values(begin + 9, begin + 11), (Values{-1, -1})) << "beyond the count";
      if (static_cast<std::int64_t>(n) >= rows.filled()) {
        EXPECT_EQ(drawn, Values(9, -1)) << "a row of no sequence";
        continue;
      }
      EXPECT_EQ(std::count(drawn.begin(), drawn.end(), call.truth[n]), 0);
      for (double id : call.excluded) EXPECT_EQ(std::count(drawn.begin(), drawn.end(), id), 0);
      std::sort(drawn.begin(), drawn.end());
      EXPECT_EQ(std::adjacent_find(drawn.begin(), drawn.end()), drawn.end());
      EXPECT_GE(drawn.front(), 0);
      EXPECT_LT(drawn.back(), static_cast<double>(vocabulary));
    }
  }
}

// Bit for bit: what else is in the batch and where a sequence lies in it do not matter.
TEST_P(DrawCandidatesTest, ASequenceDrawsTheSameAloneAndAmongOthers) {
  const std::int64_t vocabulary = 3001, width = 48;
  const Packing rows = packing({41, 2, 57, 0, 1, 100, 41, 38, 3});
  Call call{random_rows(rows, width, 0.3), random({vocabulary, width}), random(DType::f32, {vocabulary}), rows, {}, {}};
  call.truth.assign(static_cast<std::size_t>(rows.rows), 3);
  call.count = call.slots = 4;
  const Values among = draw(call);
  Packing turned{std::vector<std::int64_t>(rows.lengths.rbegin(), rows.lengths.rend()),
                 std::vector<std::int64_t>(rows.samples.rbegin(), rows.samples.rend()), rows.rows};
  Call other = call;
  other.packing = turned;
  Values hidden;
  for (std::size_t b = rows.lengths.size(); b-- > 0;) {
    const Values own = rows_of(read(call.hidden), rows, b);
    hidden.insert(hidden.end(), own.begin(), own.end());
  }
  hidden.resize(static_cast<std::size_t>(rows.rows * width), NAN);
  other.hidden = make({rows.rows, width}, hidden);
  const Values elsewhere = draw(other);
  for (std::size_t b = 0; b < rows.lengths.size(); ++b) {
    const Values expected = rows_of(among, rows, b);
    EXPECT_EQ(rows_of(elsewhere, turned, rows.lengths.size() - 1 - b), expected) << "sequence " << b;
    Call alone = call;
    alone.packing = rows.alone(b);
    alone.packing.rows = rows.lengths[b];
    if (alone.packing.rows == 0) continue;
    alone.hidden = call.hidden.rows(rows.begin(b), rows.lengths[b]);
    alone.truth.resize(static_cast<std::size_t>(rows.lengths[b]));
    EXPECT_EQ(draw(alone), expected) << "sequence " << b;
  }
}

// Though the products are summed in another order.
TEST_P(DrawCandidatesTest, EveryDeviceDrawsWhatTheHostDraws) {
  if (!like_the_host()) GTEST_SKIP() << "this is the host";
  DrawAgreement agreement;
  for (bool replace : {false, true})
    for (std::int64_t vocabulary : {17, 255, 256, 257, 4100})
      for (const Packing& rows : {packing({1}, 1), packing({20, 0, 3, 37}, 61)}) {
        Call call{
            random({rows.rows, 24}, 0.5), random({vocabulary, 24}), random(DType::f32, {vocabulary}), rows, {}, {}};
        for (std::int64_t n = 0; n < rows.rows; ++n) call.truth.push_back(static_cast<double>(n * 7 % vocabulary));
        call.excluded = {0, 2, static_cast<double>(vocabulary - 1)};
        call.temperature = 1.7;
        call.count = 5;
        call.slots = 6;
        call.replace = replace;
        agreement.add(draw(call), draw_on_host(call), slots_of(call));
      }
  agreement.expect_near_ties_alone();
}

TEST_P(DrawCandidatesTest, LastBitsOfLogitsMoveNoDrawsButNearTies) {
  if (like_the_host()) GTEST_SKIP() << "few trials do not tell";
  DrawAgreement agreement;
  for (std::int64_t vocabulary : {200, 4100}) {
    Call call = alike(vocabulary, 1, 16, 0);  // logits are the bias alone
    call.count = call.slots = 9;
    const Values bias = normal(vocabulary, 2);
    const auto drawn = [&](const Values& logits) {
      call.bias = make(DType::f32, {vocabulary}, logits);
      return draw(call);
    };
    agreement.add(drawn(bias), drawn(with_other_last_bits(bias)), slots_of(call));
  }
  agreement.expect_near_ties_alone();
}

// Several products of rows, the last one of a few.
TEST_P(DrawCandidatesTest, ARowDrawsTheSameWhereverAProductBegins) {
  const Packing rows = packing({2047, 2, 40}, 2100);
  Call call{zeros({rows.rows, 1}), zeros({3, 1}), random(DType::f32, {3}), rows, {}, {}};
  call.truth.assign(static_cast<std::size_t>(rows.rows), 0);
  const Values whole = draw(call);
  for (std::size_t b : {1U, 2U}) {
    Call alone = call;
    alone.packing = rows.alone(b);
    alone.packing.rows = rows.lengths[b];
    alone.hidden = call.hidden.rows(0, rows.lengths[b]);
    alone.truth.resize(static_cast<std::size_t>(rows.lengths[b]));
    EXPECT_EQ(draw(alone), rows_of(whole, rows, b));
  }
  EXPECT_EQ(std::count(whole.begin(), whole.end(), -1), 11) << "rows of no sequence";
}

TEST_P(DrawCandidatesTest, MoreDrawsBeginWithTheSame) {
  Call call = alike(400, 8, 1, 1);
  call.slots = 9;
  call.count = 9;
  const Values nine = draw(call);
  call.count = 4;
  const Values four = draw(call);
  for (std::size_t i = 0; i < nine.size(); ++i) EXPECT_EQ(four[i], i % 9 < 4 ? nine[i] : -1);
}

TEST_P(DrawCandidatesTest, RowsThatAreNotFiniteEndWithoutCandidates) {
  Call call = alike(300, 2, 1, 1);
  Values hidden = read(call.hidden);
  hidden[2] = NAN;
  hidden[4] = INFINITY;
  call.hidden = make({128, 2}, hidden);
  call.count = call.slots = 3;
  const Values negatives = draw(call);
  EXPECT_EQ(Values(negatives.begin() + 3, negatives.begin() + 6), (Values{-1, -1, -1}));
  EXPECT_GE(negatives[0], 0);
  EXPECT_GE(negatives[9], 0) << "the row after them";
}

TEST_P(DrawCandidatesTest, AllButOneCanBeDrawnAndNoMore) {
  Call call = alike(6, 4, 1, 1);
  call.excluded = {5};
  call.slots = 6;
  call.count = 4;
  Values drawn = draw(call);
  drawn.resize(4);
  std::sort(drawn.begin(), drawn.end());
  EXPECT_EQ(drawn, (Values{0, 2, 3, 4}));
  if (!refuses_contents()) return;
  call.count = 5;
  EXPECT_THROW(draw(call), Error) << "five of four";
}

TEST_P(DrawCandidatesTest, NoRowsAndNoDraws) {
  Call call = alike(300, 2, 1, 1);
  call.slots = 3;
  call.count = 0;
  EXPECT_EQ(draw(call), Values(3 * 128, -1));
  call.hidden = call.hidden.rows(0, 0);
  call.packing = packing({0}, 1);
  call.truth.clear();
  call.count = 1;
  EXPECT_EQ(draw(call), Values{});
}

TEST_P(DrawCandidatesTest, RefusesWhatDoesNotFit) {
  if (!refuses_contents()) GTEST_SKIP() << "this device does not look";
  Call call = alike(6, 4, 1, 1);
  call.temperature = 0;
  EXPECT_THROW(draw(call), Error);
  call.temperature = 1;
  call.count = 2;
  EXPECT_THROW(draw(call), Error) << "one slot";
  call.count = 1;
  call.excluded = {6};
  EXPECT_THROW(draw(call), Error) << "token 6 of 6";
}

}  // namespace
}  // namespace tenfold::test

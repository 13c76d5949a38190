#include "kernels/attention.hpp"

#include <algorithm>

#include "op_test.hpp"

namespace tenfold::test {
namespace {

using kernels::AttentionShape;

struct Input {
  Values qkv, bias;
};

constexpr double rate = 0.1;

class AttentionTest : public OpTest {
 protected:
  struct Problem {
    Packing packing;
    std::int64_t length, heads, head_width;
    double scale;
    bool with_bias, with_dropout;

    std::int64_t width() const { return heads * head_width; }
    AttentionShape shape() const { return {packing.rows, length, heads, head_width}; }
    /// Sequence b without the others.
    Problem alone(std::size_t b) const {
      Problem one = *this;
      one.packing = packing.alone(b);
      return one;
    }
  };

  static double factor(const Problem& problem, std::size_t b, std::int64_t element) {
    return problem.with_dropout
               ? dropout_factor(rate, stream_key(1, "test"), dropout_step, problem.packing.samples[b], element)
               : 1;
  }

  /// The context by the formula at the head of kernels/attention.hpp, literally.
  static Values reference(const Problem& problem, const Input& in) {
    const std::int64_t d = problem.width(), length = problem.length;
    Values context(static_cast<std::size_t>(problem.packing.rows * d));
    for (std::size_t b = 0; b < problem.packing.lengths.size(); ++b) {
      const std::int64_t begin = problem.packing.begin(b), count = problem.packing.lengths[b];
      for (std::int64_t h = 0; h < problem.heads; ++h) {
        const auto qkv = [&](std::int64_t t, std::int64_t part, std::int64_t c) {
          return in.qkv[static_cast<std::size_t>((begin + t) * 3 * d + part * d + h * problem.head_width + c)];
        };
        for (std::int64_t i = 0; i < count; ++i) {
          Values weight;
          double total = 0;
          for (std::int64_t j = 0; j < count; ++j) {
            double score = problem.with_bias ? in.bias[static_cast<std::size_t>((h * length + i) * length + j)] : 0;
            for (std::int64_t c = 0; c < problem.head_width; ++c) score += problem.scale * qkv(i, 0, c) * qkv(j, 1, c);
            weight.push_back(std::exp(score));
            total += weight.back();
          }
          for (std::int64_t j = 0; j < count; ++j) {
            const double kept =
                weight[static_cast<std::size_t>(j)] / total * factor(problem, b, (h * length + i) * length + j);
            for (std::int64_t c = 0; c < problem.head_width; ++c)
              context[static_cast<std::size_t>((begin + i) * d + h * problem.head_width + c)] += kept * qkv(j, 2, c);
          }
        }
      }
    }
    return context;
  }

  kernels::Dropout site(const Problem& problem) { return dropout(problem.with_dropout ? rate : 0, problem.packing); }
  /// Rubbish, so that what is read before it was written shows.
  Tensor saved(const Problem& problem, std::int64_t more = 0) {
    return poisoned(DType::u8, {kernels::attention_saved_bytes(GetParam().device, problem.shape(), storage()) + more});
  }
  Tensor workspace(const Problem& problem, std::int64_t more = 0) {
    return poisoned(DType::u8,
                    {kernels::attention_workspace_bytes(GetParam().device, problem.shape(), storage()) + more});
  }

  /// What a forward call was given and gave.
  struct Run {
    Tensor qkv, bias, context, saved;
  };
  Run forward(const Problem& problem, const Tensor& qkv, const Tensor& bias) {
    const Run run{qkv, bias, poisoned({problem.packing.rows, problem.width()}), saved(problem)};
    kernels::attention_forward(queue_, problem.shape(), run.qkv, run.bias, static_cast<float>(problem.scale),
                               site(problem), run.context, run.saved, workspace(problem));
    return run;
  }
  Run forward(const Problem& problem) {
    const Shape square{problem.heads, problem.length, problem.length};
    return forward(problem, random_rows(problem.packing, 3 * problem.width()),
                   problem.with_bias ? random(DType::f32, square) : Tensor());
  }
  Input input(const Problem& problem, const Run& run) {
    return {filled_rows(read(run.qkv), problem.packing), run.bias ? read(run.bias) : Values()};
  }

  struct Gradient {
    Values qkv, bias;
  };
  /// dbias is added to `sums`, or to zeros.
  Gradient backward(const Problem& problem, const Run& run, const Tensor& dcontext, const Tensor& sums = {}) {
    const Tensor dqkv = poisoned(run.qkv.shape());
    const Tensor dbias = sums ? sums : run.bias ? zeros(DType::f32, run.bias.shape()) : Tensor();
    kernels::attention_backward(queue_, problem.shape(), dcontext, run.qkv, run.saved,
                                static_cast<float>(problem.scale), site(problem), dqkv, dbias, workspace(problem));
    return {read(dqkv), run.bias ? read(dbias) : Values()};
  }

  /// bf16 rounds probabilities and their gradients, each to 2^-9 of itself, before they are summed: an error of 2^-9 of
  /// the sum of |terms|, here some four times the sum itself, and one rounding of the result.
  double result_tolerance() const { return storage() == DType::bf16 ? 4 * 0x1p-8 : 1e-5; }
  double gradient_tolerance() const { return storage() == DType::bf16 ? 8 * 0x1p-8 : 2e-5; }

  /// Small enough for finite differences in every element.
  static std::vector<Problem> small_problems() {
    return {{packing({1}, 1), 1, 1, 1, 1.0, true, false},
            {packing({7, 1}, 11), 7, 3, 5, 0.4, true, true},
            {packing({0, 3, 0, 6}, 9), 7, 3, 5, 0.4, false, true},
            {packing({4, 2, 1}, 8), 4, 1, 8, 0.3, true, false},
            {packing({1, 16}, 17), 19, 2, 3, 0.5, true, true},
            {packing({18, 0}, 20), 18, 2, 3, 0.5, false, false},
            many_sequences()};
  }
  /// So many that a device may sum over them in parts.
  static Problem many_sequences() {
    return {packing({2, 1, 3, 0, 2, 2, 1, 3, 1, 1, 2, 3, 1, 0, 2, 1, 3, 2}, 31), 3, 1, 2, 0.5, true, true};
  }
  /// A row or a column more or less than the tiles that kernels are made of.
  static std::vector<Problem> borders_of_tiles() {
    return {{packing({65, 63}), 65, 1, 128, 0.1, true, true},
            {packing({33, 32, 31}, 97), 33, 1, 65, 0.1, true, false},
            {packing({97, 3}, 101), 99, 1, 33, 0.2, true, true},
            {packing({70, 10}, 81), 70, 2, 40, 0.2, false, true}};
  }
  static std::vector<Problem> problems() {
    std::vector<Problem> all = small_problems();
    for (const Problem& problem : borders_of_tiles()) all.push_back(problem);
    all.push_back({packing({128, 77}), 128, 2, 64, 0.125, true, true});
    all.push_back({packing({129, 1, 15, 16, 17}), 130, 2, 24, 0.2, false, true});
    all.push_back({packing({}), 12, 2, 4, 0.2, true, true});
    return all;
  }
};
TENFOLD_F32_AND_BF16(AttentionTest);

TEST_P(AttentionTest, ForwardAgreesWithTheDefinition) {
  for (const Problem& problem : problems()) {
    const Run run = forward(problem);
    expect_close(read(run.context), reference(problem, input(problem, run)), result_tolerance(), "context");
  }
}

TEST_P(AttentionTest, BackwardIsTheGradient) {
  for (const Problem& problem : small_problems()) {
    const Run run = forward(problem);
    const Tensor dcontext = random_rows(problem.packing, problem.width());
    const Gradient actual = backward(problem, run, dcontext);
    const Input at = input(problem, run);
    const Values upstream = filled_rows(read(dcontext), problem.packing);
    const auto loss = [&](const Input& in) { return dot(upstream, reference(problem, in)); };
    const Values dqkv = finite_difference([&](const Values& qkv) { return loss({qkv, at.bias}); }, at.qkv);
    expect_close(actual.qkv, dqkv, gradient_tolerance(), "dqkv");
    EXPECT_EQ(filled_rows(actual.qkv, problem.packing), actual.qkv) << "rows of no sequence";
    if (!problem.with_bias) continue;
    const Values dbias = finite_difference([&](const Values& bias) { return loss({at.qkv, bias}); }, at.bias);
    if (problem.length > 1) expect_close(actual.bias, dbias, gradient_tolerance(), "dbias");
  }
}

// Along the gradient's own direction, where it is steepest and weighs every element, the slope of the loss is its
// length; any error of direction or length shows.
TEST_P(AttentionTest, BackwardIsTheSlopeOfTheLoss) {
  std::vector<Problem> problems = borders_of_tiles();
  problems.push_back({packing({128, 50}), 128, 1, 64, 0.125, true, true});
  for (const Problem& problem : problems) {
    const Run run = forward(problem);
    const Tensor dcontext = random_rows(problem.packing, problem.width());
    const Gradient gradient = backward(problem, run, dcontext);
    const Input at = input(problem, run);
    const Values upstream = filled_rows(read(dcontext), problem.packing);
    for (const bool of_bias : {false, true}) {
      if (of_bias && !problem.with_bias) continue;
      const Values& slope = of_bias ? gradient.bias : gradient.qkv;
      const double norm = std::sqrt(dot(slope, slope));
      const auto loss = [&](double step) {
        Input moved = at;
        Values& point = of_bias ? moved.bias : moved.qkv;
        for (std::size_t i = 0; i < point.size(); ++i) point[i] += step * slope[i] / norm;
        return dot(upstream, reference(problem, moved));
      };
      const double width = 1e-4;
      EXPECT_NEAR((loss(width) - loss(-width)) / (2 * width), norm, gradient_tolerance() * norm)
          << "heads " << problem.head_width << " wide";
    }
  }
}

// Forward may keep what it needs of the bias, and whether there was one.
TEST_P(AttentionTest, GradientOfTheBiasMayBeLeftOut) {
  Problem problem{packing({9, 17}), 17, 2, 8, 0.35, true, true};
  const Run run = forward(problem);
  const Tensor dcontext = random_rows(problem.packing, problem.width());
  const Values expected = backward(problem, run, dcontext).qkv;
  EXPECT_EQ(backward(problem, {run.qkv, {}, run.context, run.saved}, dcontext).qkv, expected);
}

// Bit for bit: what else is in the batch and where a sequence lies in it do not matter.
TEST_P(AttentionTest, ASequenceIsWorkedOutAlikeAloneAndAmongOthers) {
  const Problem all{packing({16, 1, 0, 9, 33, 47}), 50, 2, 8, 0.35, true, true};
  const Run run = forward(all);
  const Tensor dcontext = random_rows(all.packing, all.width());
  const Gradient gradient = backward(all, run, dcontext);
  const Values qkv = read(run.qkv), upstream = read(dcontext), context = read(run.context);
  const Tensor dbias = zeros(DType::f32, run.bias.shape());
  for (std::size_t b = 0; b < all.packing.lengths.size(); ++b) {
    const Problem one = all.alone(b);
    const auto own = [&](const Values& values, std::int64_t width) {  // with its row that belongs to none
      Values rows = rows_of(values, all.packing, b);
      rows.resize(static_cast<std::size_t>(one.packing.rows * width), NAN);
      return make({one.packing.rows, width}, rows);
    };
    const Run alone = forward(one, own(qkv, 3 * all.width()), run.bias);
    EXPECT_EQ(rows_of(read(alone.context), one.packing, 0), rows_of(context, all.packing, b)) << "sequence " << b;
    const Gradient slope = backward(one, alone, own(upstream, all.width()), dbias);
    EXPECT_EQ(rows_of(slope.qkv, one.packing, 0), rows_of(gradient.qkv, all.packing, b)) << "sequence " << b;
  }
  EXPECT_EQ(read(dbias), gradient.bias) << "in the order of sequences";
}

TEST_P(AttentionTest, GradientOfTheBiasIsAddedInTheSameOrderEachTime) {
  const Problem problem{packing({33, 20, 31}), 33, 2, 8, 0.35, true, true};
  const Run run = forward(problem);
  const Tensor dcontext = random_rows(problem.packing, problem.width());
  const Values once = backward(problem, run, dcontext).bias;
  EXPECT_EQ(backward(problem, run, dcontext).bias, once);
  const Tensor twos = make(DType::f32, run.bias.shape(), Values(once.size(), 2.0));
  Values expected = once;
  for (double& value : expected) value += 2;
  expect_close(backward(problem, run, dcontext, twos).bias, expected, 1e-6, "added to");
}

// Their sizes are the op's own affair; what lies behind them is not.
TEST_P(AttentionTest, SavedStateAndWorkspaceAreAllThatIsWritten) {
  constexpr std::int64_t more = 4096;
  for (const Problem& problem : {Problem{packing({33, 33, 33}, 99), 33, 3, 5, 0.3, true, true},
                                 Problem{packing({64, 64}), 64, 2, 8, 0.3, true, true}}) {
    Run run = forward(problem);
    const Tensor dcontext = random_rows(problem.packing, problem.width()), dqkv = poisoned(run.qkv.shape());
    const Values context = read(run.context);
    const Tensor space = workspace(problem, more);
    run.saved = saved(problem, more);
    kernels::attention_forward(queue_, problem.shape(), run.qkv, run.bias, 0.3F, site(problem), run.context, run.saved,
                               space);
    EXPECT_EQ(read(run.context), context);
    kernels::attention_backward(queue_, problem.shape(), dcontext, run.qkv, run.saved, 0.3F, site(problem), dqkv,
                                zeros(DType::f32, run.bias.shape()), space);
    for (const Tensor& memory : {run.saved, space})
      EXPECT_EQ(read(memory.rows(memory[0] - more, more)), Values(static_cast<std::size_t>(more), 255));
  }
}

// A scalar of TUPE from [CLS] to the others would be such a constant: no output sees it and its gradient is zero.
TEST_P(AttentionTest, AConstantAHeadOnTheRowOfClsChangesNothing) {
  const Problem problem{packing({7, 4}), 7, 3, 5, 0.4, true, true};
  const Run run = forward(problem);
  Values bias = read(run.bias);
  const Values constants = {3, -2, 0.5};
  for (std::size_t i = 0; i < bias.size(); ++i)
    if (i / 7 % 7 == 0) bias[i] += constants[i / 49];
  const Run shifted = forward(problem, run.qkv, make(DType::f32, run.bias.shape(), bias));
  expect_close(read(shifted.context), read(run.context), result_tolerance(), "context");

  const Values dbias = backward(problem, run, random_rows(problem.packing, problem.width())).bias;
  for (std::size_t h = 0; h < 3; ++h) {
    double row = 0, size = 0;
    for (std::size_t n = 0; n < 7; ++n) {
      row += dbias[h * 49 + n];
      size += std::abs(dbias[h * 49 + n]);
    }
    EXPECT_NEAR(row, 0, gradient_tolerance() * size) << "head " << h;
  }
}

TEST_P(AttentionTest, LargeScoresDoNotOverflow) {
  const Problem problem{packing({2}, 2), 2, 1, 1, 1.0, false, false};
  const Run run = forward(problem, make({2, 3}, {1000, 1000, 1, 1000, 900, 2}), {});
  EXPECT_EQ(read(run.context), Values({1, 1}));
}

TEST_P(AttentionTest, NotANumberShowsInItsSequenceOnly) {
  const Problem problem{packing({5, 20}), 20, 2, 4, 0.5, true, false};
  Values qkv = normal(problem.packing.rows * 24);
  qkv[7 * 24 + 1] = NAN;
  const Values context =
      read(forward(problem, make({problem.packing.rows, 24}, qkv), random(DType::f32, {2, 20, 20})).context);
  const Values first = rows_of(context, problem.packing, 0), second = rows_of(context, problem.packing, 1);
  EXPECT_TRUE(std::ranges::all_of(first, [](double value) { return std::isfinite(value); }));
  EXPECT_TRUE(std::ranges::any_of(second, [](double value) { return std::isnan(value); }));
}

TEST_P(AttentionTest, RefusesWhatDoesNotFit) {
  const Problem problem{packing({4, 4}, 8), 4, 2, 3, 1.0, false, false};
  const Tensor qkv = random({8, 18}), context = zeros({8, 6});
  const auto call = [&](const Tensor& in, const Tensor& bias, const Problem& rows, std::int64_t saved_less,
                        std::int64_t space_less) {
    kernels::attention_forward(queue_, problem.shape(), in, bias, 1.0F, site(rows), context,
                               saved(problem, -saved_less), workspace(problem, -space_less));
  };
  EXPECT_NO_THROW(call(qkv, {}, problem, 0, 0));
  EXPECT_THROW(call(random({8, 15}), {}, problem, 0, 0), Error);
  EXPECT_THROW(call(qkv, random(DType::f32, {2, 4, 5}), problem, 0, 0), Error);
  EXPECT_THROW(call(qkv, {}, problem, 1, 0), Error) << "saved";
  EXPECT_THROW(call(qkv, {}, problem, 0, 1), Error) << "workspace";
  Problem other = problem;
  other.packing = packing({4}, 7);
  EXPECT_THROW(call(qkv, {}, other, 0, 0), Error) << "8 rows of 7";
  if (!refuses_contents()) return;
  other.packing = packing({5, 3}, 8);
  EXPECT_THROW(call(qkv, {}, other, 0, 0), Error) << "a sequence longer than T";
}

}  // namespace
}  // namespace tenfold::test

#include "kernels/attention.hpp"

#include "op_test.hpp"

namespace tenfold::test {
namespace {

using kernels::AttentionShape;

struct Input {
  Values qkv, bias;
};
struct Output {
  Values context, probabilities;
};

constexpr double rate = 0.1;

class AttentionTest : public OpTest {
 protected:
  struct Problem {
    AttentionShape shape;
    std::vector<std::int64_t> counts;
    double scale;
    bool with_bias, with_dropout;
  };

  static std::int64_t width(const AttentionShape& shape) { return shape.heads * shape.head_width; }

  /// The formula at the head of kernels/attention.hpp, literally.
  Output reference(const Problem& problem, const Input& in) const {
    const auto& [batch, heads, length, head_width] = problem.shape;
    const std::int64_t d = width(problem.shape);
    Output out{Values(static_cast<std::size_t>(batch * length * d)),
               Values(static_cast<std::size_t>(batch * heads * length * length))};
    const auto qkv = [&](std::int64_t b, std::int64_t t, std::int64_t part, std::int64_t h, std::int64_t c) {
      return in.qkv[static_cast<std::size_t>((b * length + t) * 3 * d + part * d + h * head_width + c)];
    };
    for (std::int64_t b = 0; b < batch; ++b)
      for (std::int64_t h = 0; h < heads; ++h)
        for (std::int64_t i = 0; i < length; ++i) {
          const std::int64_t count = problem.counts[static_cast<std::size_t>(b)];
          Values weight;
          double total = 0;
          for (std::int64_t j = 0; j < count; ++j) {
            double score = problem.with_bias ? in.bias[static_cast<std::size_t>((h * length + i) * length + j)] : 0;
            for (std::int64_t c = 0; c < head_width; ++c)
              score += problem.scale * qkv(b, i, 0, h, c) * qkv(b, j, 1, h, c);
            weight.push_back(std::exp(score));
            total += weight.back();
          }
          for (std::int64_t j = 0; j < count; ++j) {
            const double a = weight[static_cast<std::size_t>(j)] / total;
            const double kept = a * factor(problem, b, (h * length + i) * length + j);
            out.probabilities[static_cast<std::size_t>(((b * heads + h) * length + i) * length + j)] = a;
            for (std::int64_t c = 0; c < head_width; ++c)
              out.context[static_cast<std::size_t>((b * length + i) * d + h * head_width + c)] +=
                  kept * qkv(b, j, 2, h, c);
          }
        }
    return out;
  }

  static double factor(const Problem& problem, std::int64_t sample, std::int64_t element) {
    return problem.with_dropout ? dropout_factor(rate, stream_key(1, "test"), 7, 100 + sample, element) : 1;
  }

  kernels::Dropout site(const Problem& problem) {
    Values samples;
    for (std::int64_t b = 0; b < problem.shape.batch; ++b) samples.push_back(static_cast<double>(100 + b));
    return problem.with_dropout ? dropout(rate, samples) : kernels::Dropout{};
  }

  Tensor lengths(const Problem& problem) {
    return make(DType::i32, {problem.shape.batch}, Values(problem.counts.begin(), problem.counts.end()));
  }
  Tensor workspace(const Problem& problem) {
    return zeros(DType::u8, {kernels::attention_workspace_bytes(problem.shape, GetParam())});
  }

  /// What a forward call was given and gave.
  struct Run {
    Tensor qkv, bias, context, probabilities;
  };
  Run forward(const Problem& problem) {
    const auto& [batch, heads, length, head_width] = problem.shape;
    const std::int64_t d = width(problem.shape);
    Run run{random({batch * length, 3 * d}), problem.with_bias ? random(DType::f32, {heads, length, length}) : Tensor(),
            poisoned({batch * length, d}), poisoned({batch, heads, length, length})};
    kernels::attention_forward(queue_, run.qkv, run.bias, lengths(problem), static_cast<float>(problem.scale),
                               site(problem), run.context, run.probabilities, workspace(problem));
    return run;
  }
  Input input(const Run& run) { return {read(run.qkv), run.bias ? read(run.bias) : Values()}; }

  struct Gradient {
    Values qkv, bias;
  };
  Gradient backward(const Problem& problem, const Run& run, const Tensor& dcontext) {
    const Tensor dqkv = poisoned(run.qkv.shape());
    const Tensor dbias = run.bias ? zeros(DType::f32, run.bias.shape()) : Tensor();
    kernels::attention_backward(queue_, dcontext, run.qkv, run.probabilities, lengths(problem),
                                static_cast<float>(problem.scale), site(problem), dqkv, dbias, workspace(problem));
    return {read(dqkv), run.bias ? read(dbias) : Values()};
  }

  /// bf16 rounds probabilities and their gradients, each to 2^-9 of itself, before they are summed: an error of 2^-9 of
  /// the sum of |terms|, here some four times the sum itself, and one rounding of the result.
  double result_tolerance() const { return GetParam() == DType::bf16 ? 4 * 0x1p-8 : 1e-5; }
  double gradient_tolerance() const { return GetParam() == DType::bf16 ? 8 * 0x1p-8 : 2e-5; }

  /// Small enough for finite differences in every element.
  std::vector<Problem> small_problems() const {
    return {{{1, 1, 1, 1}, {1}, 1.0, true, false},
            {{2, 3, 7, 5}, {7, 1}, 0.4, true, true},
            {{2, 3, 7, 5}, {3, 6}, 0.4, false, true},
            {{3, 1, 4, 8}, {4, 2, 1}, 0.3, true, false},
            {{1, 2, 17, 3}, {16}, 0.5, true, true}};
  }
  std::vector<Problem> problems() const {
    std::vector<Problem> all = small_problems();
    all.push_back({{2, 2, 128, 64}, {128, 77}, 0.125, true, true});
    all.push_back({{1, 2, 130, 24}, {129}, 0.2, false, true});
    return all;
  }
};
TENFOLD_F32_AND_BF16(AttentionTest);

TEST_P(AttentionTest, ForwardAgreesWithTheDefinition) {
  for (const Problem& problem : problems()) {
    const Run run = forward(problem);
    const Output expected = reference(problem, input(run));
    expect_close(read(run.context), expected.context, result_tolerance(), "context");
    Values kept = read(run.probabilities);
    for (std::size_t i = 0; i < kept.size(); ++i) {
      const auto length = static_cast<std::size_t>(problem.shape.length);
      const std::size_t per_sample = kept.size() / static_cast<std::size_t>(problem.shape.batch);
      if (static_cast<std::int64_t>(i % length) < problem.counts[i / per_sample]) {
        const double keep =
            factor(problem, static_cast<std::int64_t>(i / per_sample), static_cast<std::int64_t>(i % per_sample));
        ASSERT_EQ(std::signbit(kept[i]), keep == 0) << "the sign of probability " << i << " says whether it is dropped";
      }
      kept[i] = std::abs(kept[i]);
    }
    expect_close(kept, expected.probabilities, result_tolerance(), "probabilities");
  }
}

TEST_P(AttentionTest, BackwardIsTheGradient) {
  for (const Problem& problem : small_problems()) {
    const Run run = forward(problem);
    const Tensor dcontext = random(run.context.shape());
    const Gradient actual = backward(problem, run, dcontext);
    const Input at = input(run);
    const Values upstream = read(dcontext);
    const auto loss = [&](const Input& in) { return dot(upstream, reference(problem, in).context); };
    const Values dqkv = finite_difference([&](const Values& qkv) { return loss({qkv, at.bias}); }, at.qkv);
    expect_close(actual.qkv, dqkv, gradient_tolerance(), "dqkv");
    if (!problem.with_bias) continue;
    const Values dbias = finite_difference([&](const Values& bias) { return loss({at.qkv, bias}); }, at.bias);
    if (problem.shape.length > 1) expect_close(actual.bias, dbias, gradient_tolerance(), "dbias");
  }
}

// At the size of a real head, along random directions: the slope of the loss is the gradient times the direction.
TEST_P(AttentionTest, BackwardIsTheSlopeInAnyDirection) {
  const Problem problem{{2, 2, 128, 64}, {128, 77}, 0.125, true, true};
  const Run run = forward(problem);
  const Tensor dcontext = random(run.context.shape());
  const Gradient gradient = backward(problem, run, dcontext);
  const Input at = input(run);
  const Values upstream = read(dcontext);
  for (const bool of_bias : {false, true}) {
    const Values& slope = of_bias ? gradient.bias : gradient.qkv;
    // The gradient's own direction, where it is steepest, weighs every element; any error of direction or length shows.
    const double norm = std::sqrt(dot(slope, slope));
    const auto loss = [&](double step) {
      Input moved = at;
      Values& point = of_bias ? moved.bias : moved.qkv;
      for (std::size_t i = 0; i < point.size(); ++i) point[i] += step * slope[i] / norm;
      return dot(upstream, reference(problem, moved).context);
    };
    const double width = 1e-4;
    EXPECT_NEAR((loss(width) - loss(-width)) / (2 * width), norm, gradient_tolerance() * norm);
  }
}

TEST_P(AttentionTest, KeysBeyondTheLengthHaveNoEffect) {
  const Problem problem{{1, 2, 9, 4}, {5}, 0.5, true, true};
  const Run run = forward(problem);
  Values changed = read(run.qkv);
  for (std::size_t i = 5 * 24; i < changed.size(); ++i)
    if (i % 24 >= 8) changed[i] = 1e3;
  const Tensor context = poisoned(run.context.shape());
  kernels::attention_forward(queue_, make(run.qkv.shape(), changed), run.bias, lengths(problem), 0.5F, site(problem),
                             context, run.probabilities, workspace(problem));
  EXPECT_EQ(read(context), read(run.context));
  const Gradient gradient = backward(problem, run, random(run.context.shape()));
  for (std::size_t i = 5 * 24; i < gradient.qkv.size(); ++i) {
    if (i % 24 >= 8) {
      EXPECT_EQ(gradient.qkv[i], 0) << i;
    }
  }
}

TEST_P(AttentionTest, ASequenceIsWorkedOutAlikeInAnyBatch) {
  const Problem both{{2, 2, 16, 8}, {16, 9}, 0.35, true, true};
  const Run run = forward(both);
  const Tensor context = poisoned({16, 16}), probabilities = poisoned({1, 2, 16, 16});
  const Problem alone{{1, 2, 16, 8}, {9}, 0.35, true, true};
  kernels::attention_forward(queue_, run.qkv.rows(16, 16), run.bias, lengths(alone), 0.35F, dropout(rate, {101}),
                             context, probabilities, workspace(alone));
  EXPECT_EQ(read(context), read(run.context.rows(16, 16)));
}

TEST_P(AttentionTest, GradientOfTheBiasIsAddedInTheSameOrderEachTime) {
  const Problem problem{{3, 2, 33, 8}, {33, 20, 31}, 0.35, true, true};
  const Run run = forward(problem);
  const Tensor dcontext = random(run.context.shape());
  EXPECT_EQ(backward(problem, run, dcontext).bias, backward(problem, run, dcontext).bias);
  const Tensor dbias = make(DType::f32, run.bias.shape(), Values(static_cast<std::size_t>(run.bias.elements()), 2.0));
  kernels::attention_backward(queue_, dcontext, run.qkv, run.probabilities, lengths(problem), 0.35F, site(problem),
                              poisoned(run.qkv.shape()), dbias, workspace(problem));
  Values expected = backward(problem, run, dcontext).bias;
  for (double& value : expected) value += 2;
  expect_close(read(dbias), expected, 1e-6, "added to");
}

// A scalar of TUPE from [CLS] to the others would be such a constant: no output sees it and its gradient is zero.
TEST_P(AttentionTest, AConstantAHeadOnTheRowOfClsChangesNothing) {
  const Problem problem{{2, 3, 7, 5}, {7, 4}, 0.4, true, true};
  const Run run = forward(problem);
  Values bias = read(run.bias);
  const Values constants = {3, -2, 0.5};
  for (std::size_t i = 0; i < bias.size(); ++i)
    if (i / 7 % 7 == 0) bias[i] += constants[i / 49];
  const Tensor context = poisoned(run.context.shape()), probabilities = poisoned(run.probabilities.shape());
  kernels::attention_forward(queue_, run.qkv, make(DType::f32, run.bias.shape(), bias), lengths(problem), 0.4F,
                             site(problem), context, probabilities, workspace(problem));
  expect_close(read(context), read(run.context), result_tolerance(), "context");
  expect_close(read(probabilities), read(run.probabilities), result_tolerance(), "probabilities");

  const Values dbias = backward(problem, run, random(run.context.shape())).bias;
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
  const Problem problem{{1, 1, 2, 1}, {2}, 1.0, false, false};
  const Tensor qkv = make({2, 3}, {1000, 1000, 1, 1000, 900, 2});
  const Tensor context = poisoned({2, 1}), probabilities = poisoned({1, 1, 2, 2});
  kernels::attention_forward(queue_, qkv, {}, lengths(problem), 1.0F, {}, context, probabilities, workspace(problem));
  EXPECT_EQ(read(context), Values({1, 1}));
}

TEST_P(AttentionTest, RefusesWhatDoesNotFit) {
  const Problem problem{{2, 2, 4, 3}, {4, 4}, 1.0, false, false};
  const Tensor qkv = random({8, 18}), context = zeros({8, 6}), probabilities = zeros({2, 2, 4, 4});
  const auto call = [&](const Tensor& in, const Tensor& bias, const Tensor& count, const Tensor& space) {
    kernels::attention_forward(queue_, in, bias, count, 1.0F, {}, context, probabilities, space);
  };
  EXPECT_NO_THROW(call(qkv, {}, lengths(problem), workspace(problem)));
  EXPECT_THROW(call(random({8, 15}), {}, lengths(problem), workspace(problem)), Error);
  EXPECT_THROW(call(qkv, random(DType::f32, {2, 4, 5}), lengths(problem), workspace(problem)), Error);
  EXPECT_THROW(call(qkv, {}, make(DType::i32, {2}, {4, -1}), workspace(problem)), Error) << "a negative length";
  EXPECT_THROW(call(qkv, {}, make(DType::i32, {2}, {4, 5}), workspace(problem)), Error) << "length beyond T";
  EXPECT_THROW(call(qkv, {}, lengths(problem), zeros(DType::u8, {64})), Error) << "workspace";
}

}  // namespace
}  // namespace tenfold::test

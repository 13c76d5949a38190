// The gradient of a whole model is that of its loss, with dropout: every step draws its masks anew, and the same ones
// again in the backward pass. And bf16's gradients are those of f32 but for its rounding.

#include <algorithm>
#include <map>

#include "objective_test.hpp"

namespace tenfold {
namespace {

using testing::Case;
using testing::dot;
using testing::LearnedStep;
using testing::norm;
using testing::of_small_network;
using testing::read;

/// A vector of norm 1.
std::vector<float> unit(std::vector<float> direction) {
  const double length = norm(direction);
  for (float& value : direction) value = static_cast<float>(value / length);
  return direction;
}

std::vector<float> random_direction(std::size_t count, std::uint64_t key) {
  std::vector<float> direction(count);
  RandomSequence random(key, 0, 0);
  for (float& value : direction) value = random.uniform() - 0.5F;
  return unit(direction);
}

double loss_at(LearnedStep& step, const Parameter& parameter, std::span<const float> direction, double distance) {
  const Tensor master = step.parameters.master(parameter);
  const std::vector<float> point = read(step.queue, master);
  std::vector<float> moved = point;
  for (std::size_t i = 0; i < point.size(); ++i) moved[i] += static_cast<float>(distance * direction[i]);
  step.queue.copy_in(moved.data(), master);
  const double loss = step.forward().front();
  step.queue.copy_in(point.data(), master);
  return loss;
}

/// Slope of the loss along a direction of norm 1, by central differences of fourth order in f32.
double slope(LearnedStep& step, const Parameter& parameter, std::span<const float> direction, double distance) {
  const auto at = [&](double steps) { return loss_at(step, parameter, direction, steps * distance); };
  return (8 * (at(1) - at(-1)) - (at(2) - at(-2))) / (12 * distance);
}

/// The gradients of all parameters that `wanted` names. Returns how many of them are not 0.
std::size_t check_gradients(LearnedStep& step, bool (*wanted)(const std::string&)) {
  step.forward_backward();
  std::map<std::string, std::vector<float>> gradients;
  for (const Parameter& parameter : step.parameters.all())
    gradients[parameter.name] = read(step.queue, step.parameters.gradient(parameter));
  std::size_t alive = 0;
  for (const Parameter& parameter : step.parameters.all()) {
    if (!wanted(parameter.name)) continue;
    const std::vector<float>& gradient = gradients[parameter.name];
    // Besides what the differences leave, a loss has a rounding error.
    const auto check = [&](const std::vector<float>& direction, double distance, double scale) {
      constexpr double rounding = 3e-6, relative = 0.01;
      EXPECT_NEAR(slope(step, parameter, direction, distance), dot(gradient, direction),
                  relative * scale + rounding / distance)
          << parameter.name << ", distance " << distance;
    };
    // Along the gradient, which its size decides, and along a direction of which it knows nothing, by which what is
    // missing from it shows. The steeper, the nearer: there the loss bends most.
    const double size = norm(gradient), root = std::sqrt(static_cast<double>(gradient.size()));
    if (size > 1e-4) {
      check(unit(gradient), std::min(0.02, 0.01 / size), size);
      ++alive;
    }
    check(random_direction(gradient.size(), stream_key(1, parameter.name)), std::min(0.004, 0.002 / size) * root,
          size / root);
  }
  return alive;
}

constexpr double dropout = 0.25;

/// Biases that leave no choice but the three tokens that come first, one after another.
std::vector<float> steep_bias() {
  std::vector<float> bias(static_cast<std::size_t>(testing::vocabulary.size));
  for (std::size_t i = 0; i < bias.size(); ++i) bias[i] = 0.1F * static_cast<float>(i % 5);
  bias[20] = 48, bias[30] = 32, bias[40] = 16;
  return bias;
}

class Gradient : public ::testing::TestWithParam<Case> {
 protected:
  bool two_networks() const { return GetParam().kind != ObjectiveKind::mlm; }
};
class GradientBesideASmallNetwork : public Gradient {};

// Draws are functions of the weights that jump, and no gradient flows through them: here they reach no loss.
TEST_P(Gradient, OfMaskedTokensIsTheSlopeOfTheirLossUnderTheStepsDropout) {
  Settings settings = testing::small(GetParam(), dropout);
  settings.objective.loss_weight = 0;
  LearnedStep step(settings, DType::f32);
  const std::size_t alive = check_gradients(step, [](const std::string&) { return true; });
  EXPECT_GT(alive, step.parameters.all().size() / (two_networks() ? 3 : 1) * 3 / 4);
}

// And here they are the same however the weights change.
TEST_P(GradientBesideASmallNetwork, OfTheMainModelIsTheSlopeOfTheLossUnderTheStepsDropout) {
  LearnedStep step(testing::small(GetParam(), dropout), DType::f32);
  step.draw_by_bias(steep_bias());
  step.forward();
  const std::vector<std::int32_t> draws = step.draws();
  const std::size_t alive = check_gradients(step, [](const std::string& name) { return !of_small_network(name); });
  EXPECT_GT(alive, step.parameters.all().size() / 3);
  EXPECT_EQ(step.draws(), draws);
}

TEST_P(Gradient, HasAnotherLossWithoutTheStepsDropout) {
  LearnedStep with(testing::small(GetParam(), dropout), DType::f32), without(testing::small(GetParam(), 0), DType::f32);
  EXPECT_GT(std::abs(with.forward()[0] - without.forward()[0]), 1e-3);
}

/// Relative distance of the gradients of all parameters that `wanted` names, and the largest of any of them whose
/// gradient is not lost beside the others.
struct Distance {
  double whole, largest;
  std::string where;
};
template <class Wanted>
Distance distance(LearnedStep& step, LearnedStep& reference, Wanted wanted) {
  double errors = 0, squares = 0;
  std::vector<std::tuple<double, double, std::string>> each;
  for (const Parameter& parameter : reference.parameters.all()) {
    if (!wanted(parameter.name)) continue;
    std::vector<float> error = read(step.queue, step.parameters.gradient(parameter));
    const std::vector<float> expected = read(reference.queue, reference.parameters.gradient(parameter));
    for (std::size_t i = 0; i < error.size(); ++i) error[i] -= expected[i];
    each.emplace_back(norm(error), norm(expected), parameter.name);
    errors += dot(error, error);
    squares += dot(expected, expected);
  }
  Distance distance{std::sqrt(errors / squares), 0, {}};
  for (const auto& [error, size, name] : each) {
    const double here = error / std::max(size, 0.01 * std::sqrt(squares));
    if (here > distance.largest) distance = {distance.whole, here, name};
  }
  return distance;
}

void expect_near(LearnedStep& step, LearnedStep& reference, bool (*wanted)(const std::string&)) {
  const Distance seen = distance(step, reference, wanted);
  EXPECT_LT(seen.whole, 0.05);
  EXPECT_LT(seen.largest, 0.15) << seen.where;
  EXPECT_GT(seen.whole, 1e-4) << "another type was computed with";
}

TEST_P(Gradient, InBf16IsThatOfF32ButForRounding) {
  constexpr float deviation = 0.15F;
  const Settings settings = testing::small(GetParam(), dropout);
  LearnedStep narrow(settings, DType::bf16, deviation), wide(settings, DType::f32, deviation);
  narrow.forward_backward();
  wide.forward_backward();
  if (!two_networks()) return expect_near(narrow, wide, [](const std::string&) { return true; });
  expect_near(narrow, wide, of_small_network);
  for (LearnedStep* each : {&narrow, &wide}) {
    each->draw_by_bias(steep_bias());
    each->forward_backward();
  }
  ASSERT_EQ(narrow.draws(), wide.draws());
  expect_near(narrow, wide, [](const std::string& name) { return !of_small_network(name); });
}

INSTANTIATE_TEST_SUITE_P(Objectives, Gradient,
                         ::testing::Values(Case{ObjectiveKind::mlm}, Case{ObjectiveKind::electra},
                                           Case{ObjectiveKind::multiple_choice},
                                           Case{ObjectiveKind::mlm, PositionEncoding::relative, true},
                                           Case{ObjectiveKind::mlm, PositionEncoding::tupe_a, true},
                                           Case{ObjectiveKind::electra, PositionEncoding::relative, true},
                                           Case{ObjectiveKind::multiple_choice, PositionEncoding::absolute, true}),
                         testing::name_of_case);
INSTANTIATE_TEST_SUITE_P(Objectives, GradientBesideASmallNetwork,
                         ::testing::Values(Case{ObjectiveKind::electra}, Case{ObjectiveKind::multiple_choice},
                                           Case{ObjectiveKind::electra, PositionEncoding::relative, true},
                                           Case{ObjectiveKind::multiple_choice, PositionEncoding::absolute, true}),
                         testing::name_of_case);

}  // namespace
}  // namespace tenfold

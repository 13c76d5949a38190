// Which tokens a generator or controller may draw.

#include <algorithm>
#include <map>
#include <set>

#include "objective_test.hpp"

namespace tenfold {
namespace {

using testing::LearnedStep;
using testing::small;
using testing::vocabulary;

/// All that is drawn where the special tokens have nearly all of the mass, and each of them as much.
std::map<std::string, std::set<std::int32_t>> drawn(ObjectiveKind kind, Sampling sampling) {
  Settings settings = small({kind}, 0);
  settings.objective.sampling = sampling;
  settings.objective.mask_rate = 0.9;
  LearnedStep step(settings, DType::f32);
  std::vector<float> bias(static_cast<std::size_t>(vocabulary.size));
  for (const std::int32_t id : vocabulary.special.ascending()) bias[static_cast<std::size_t>(id)] = 30;
  step.draw_by_bias(bias);
  step.forward();
  std::map<std::string, std::set<std::int32_t>> result;
  for (const auto& [name, values] : step.objective->draws()) {
    const std::vector<std::int32_t> tokens = testing::read<std::int32_t>(step.queue, values.rows(0, step.filled));
    result[name] = std::set(tokens.begin(), tokens.end());
  }
  return result;
}

using Ids = std::set<std::int32_t>;
constexpr SpecialTokens special = vocabulary.special;

/// The special ones of these.
Ids special_of(const Ids& ids) {
  Ids result;
  for (const std::int32_t id : special.ascending())
    if (ids.contains(id)) result.insert(id);
  return result;
}

TEST(Draws, AreOfNoControlToken) {
  for (const ObjectiveKind kind : {ObjectiveKind::electra, ObjectiveKind::multiple_choice}) {
    auto seen = drawn(kind, Sampling::exact);
    EXPECT_EQ(special_of(seen["corrupted"]), (Ids{special.cls, special.separator, special.unknown}))
        << "[CLS] stands where it stood: it is never selected";
    if (kind == ObjectiveKind::electra) continue;
    // The first answer is none of the above.
    EXPECT_EQ(special_of(seen["candidates"]), (Ids{special.none_of_the_above, special.separator, special.unknown}));
  }
}

TEST(Draws, AsReleasedAreOfAnyTokenButTheTwo) {
  auto seen = drawn(ObjectiveKind::multiple_choice, Sampling::released);
  const Ids drawable{special.cls, special.separator, special.mask, special.unknown};
  EXPECT_EQ(special_of(seen["corrupted"]), drawable);
  Ids answers = special_of(seen["candidates"]);
  EXPECT_EQ(answers.erase(special.none_of_the_above), 1U) << "the first answer";
  EXPECT_EQ(answers, drawable);
}

}  // namespace
}  // namespace tenfold

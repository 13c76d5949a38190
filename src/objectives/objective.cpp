#include "objectives/objective.hpp"

#include <algorithm>
#include <cmath>

#include "objectives/masked_language_model.hpp"
#include "objectives/multiple_choice.hpp"
#include "objectives/replaced_token_detection.hpp"

namespace tenfold {

EncoderShape encoder_shape(const ModelSettings& model) {
  return {model.layers,
          model.width,
          model.heads,
          model.feed_forward,
          model.dropout,
          model.attention_dropout,
          static_cast<float>(model.layer_norm_epsilon)};
}

PositionShape position_shape(const ModelSettings& model, int sequence_length) {
  return {!is_tupe(model.position), is_tupe(model.position), has_relative_bias(model.position),
          model.untie_cls,          model.relative_buckets,  model.relative_max_distance,
          sequence_length};
}

std::int32_t candidates_at(const ObjectiveSettings& objective, double progress) {
  return static_cast<std::int32_t>(std::lround(std::lerp(objective.candidates, *objective.candidates_end, progress)));
}

void expect_vocabulary(const ObjectiveSettings& objective, const Vocabulary& vocabulary) {
  if (objective.kind != ObjectiveKind::multiple_choice || objective.sampling == Sampling::released) return;
  const int most = std::max(objective.candidates, *objective.candidates_end);
  const int drawable =
      vocabulary.size - static_cast<int>(vocabulary.special.never_drawn().size()) - 1;  // and not the truth
  if (most - 1 > drawable)
    throw InputError(text("objective.candidates = ", most, " asks for ", most - 1, " different wrong answers, but of ",
                          vocabulary.size, " pieces only ", drawable, " can be drawn: choose fewer candidates"));
}

std::unique_ptr<Objective> make_objective(const Settings& settings, const Vocabulary& vocabulary,
                                          Parameters& parameters) {
  expect_vocabulary(settings.objective, vocabulary);
  switch (settings.objective.kind) {
    case ObjectiveKind::electra:
      return std::make_unique<ReplacedTokenDetection>(settings, vocabulary, parameters);
    case ObjectiveKind::multiple_choice:
      return std::make_unique<MultipleChoice>(settings, vocabulary, parameters);
    case ObjectiveKind::mlm:
      break;
  }
  return std::make_unique<MaskedLanguageModel>(settings, vocabulary, parameters);
}

}  // namespace tenfold

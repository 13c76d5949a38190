#include "objectives/objective.hpp"

#include "objectives/masked_language_model.hpp"
#include "objectives/multiple_choice.hpp"
#include "objectives/replaced_token_detection.hpp"

namespace tenfold {

EncoderShape encoder_shape(const ModelSettings& model) {
  return {model.layers, model.width, model.heads, model.feed_forward, model.dropout, model.attention_dropout};
}

PositionShape position_shape(const ModelSettings& model, int sequence_length) {
  return {!is_tupe(model.position), is_tupe(model.position), has_relative_bias(model.position),
          model.untie_cls,          model.relative_buckets,  model.relative_max_distance,
          sequence_length};
}

std::unique_ptr<Objective> make_objective(const Settings& settings, int vocabulary, Parameters& parameters) {
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

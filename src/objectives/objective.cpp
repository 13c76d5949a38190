#include "objectives/objective.hpp"

#include "objectives/masked_language_model.hpp"

namespace tenfold {

EncoderShape encoder_shape(const ModelSettings& model) {
  return {model.layers, model.width, model.heads, model.feed_forward, model.dropout, model.attention_dropout};
}

PositionShape position_shape(const ModelSettings& model, int sequence_length) {
  return {!is_tupe(model.position), is_tupe(model.position), has_relative_bias(model.position), model.untie_cls,
          model.relative_buckets,   model.relative_max_distance, sequence_length};
}

std::unique_ptr<Objective> make_objective(const Settings& settings, int vocabulary, Parameters& parameters) {
  return std::make_unique<MaskedLanguageModel>(settings, vocabulary, parameters);
}

}  // namespace tenfold

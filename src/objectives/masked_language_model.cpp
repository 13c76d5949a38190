#include "objectives/masked_language_model.hpp"

#include "kernels/elementwise.hpp"

namespace tenfold {

MaskedLanguageModel::MaskedLanguageModel(const Settings& settings, int vocabulary, Parameters& parameters)
    : parameters_(parameters),
      shape_(encoder_shape(settings.model)),
      tokens_(parameters.add("embeddings.token.weight", {vocabulary, shape_.width}, Initial::token_table,
                             Storage::compute)),
      encoder_(parameters, "", {tokens_}, shape_, position_shape(settings.model, settings.data.sequence_length),
               settings.run.seed),
      vocabulary_bias_(parameters.add("head.bias", {vocabulary}, Initial::zero, Storage::master)),
      head_(parameters, "", shape_.width, vocabulary_bias_) {}

void MaskedLanguageModel::allocate(Arena& arena, const BatchShape& batch, DType type) {
  encoder_.allocate(arena, batch, type);
  head_.allocate(arena, batch, type);
  sums_ = arena.allocate(DType::f64, {2});
}

void MaskedLanguageModel::train(const Pass& pass) {
  const Tensor& hidden = encoder_.forward(pass);
  pass.take_notes(hidden);
  head_.forward_backward(pass, hidden, parameters_.weight(tokens_), parameters_.gradient(tokens_), encoder_.gradient());
  pass.complete(vocabulary_bias_.offset);
  add_statistics(pass.queue);
  encoder_.backward(pass);
}

void MaskedLanguageModel::evaluate(const Pass& pass) {
  head_.forward_backward(pass, encoder_.forward(pass), parameters_.weight(tokens_), {}, {});
  add_statistics(pass.queue);
}

void MaskedLanguageModel::add_statistics(Queue& queue) {
  kernels::add_sum(queue, head_.losses(), sums_.rows(0, 1));
  kernels::add_sum(queue, head_.correct(), sums_.rows(1, 1));
}

void MaskedLanguageModel::metrics(std::span<const double> sums, const Counts& counts, std::span<double> values) const {
  values[0] = sums[0] / counts.selected_divisor();
  values[1] = sums[1] / counts.selected_divisor();
}

double MaskedLanguageModel::training_flops(const Counts& counts, double /*progress*/) const {
  const auto vocabulary = static_cast<double>(tokens_.shape[0]);
  return fixed_flops() + 3.0 * (Encoder::forward_flops(shape_, counts.tokens, counts.squares) +
                                LanguageModelHead::forward_flops(shape_.width, vocabulary, counts.selected));
}

double MaskedLanguageModel::fixed_flops() const {
  return 3.0 * encoder_.fixed_flops();
}

}  // namespace tenfold

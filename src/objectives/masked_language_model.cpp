#include "objectives/masked_language_model.hpp"

#include "kernels/elementwise.hpp"

namespace tenfold {

MaskedLanguageModel::MaskedLanguageModel(const Settings& settings, const Vocabulary& vocabulary, Parameters& parameters)
    : parameters_(parameters),
      shape_(encoder_shape(settings.model)),
      tokens_(parameters.add("embeddings.token.weight", {vocabulary.size, shape_.width}, Initial::token_table,
                             Storage::compute, TensorSplit::rows)),
      encoder_(parameters, "", {tokens_}, shape_, position_shape(settings.model, settings.data.sequence_length),
               settings.run.seed),
      vocabulary_bias_(
          parameters.add("head.bias", {vocabulary.size}, Initial::zero, Storage::master, TensorSplit::rows)),
      head_(parameters, "", shape_.width, shape_.layer_norm_epsilon, vocabulary_bias_) {}

void MaskedLanguageModel::allocate(Arena& arena, const BatchBudget& budget, DType type) {
  encoder_.allocate(arena, budget, type);
  head_.allocate(arena, budget.selected, type);
  weight_ = arena.allocate(DType::f32, {1});
  sums_ = arena.allocate(DType::f64, {2});
}

void MaskedLanguageModel::begin_step(Queue& queue, const StepStart& step) {
  const auto weight = static_cast<float>(1.0 / step.counts.selected_divisor());
  queue.copy_in(&weight, weight_);
  queue.clear(sums_);
}

Tensor MaskedLanguageModel::forward(Queue& queue, const MaskedBatch& batch, bool training) {
  const Pass pass{queue, batch.input, training};
  const Tensor hidden = encoder_.forward(pass);
  head_.forward(pass, batch.selected, hidden, {parameters_.weight(tokens_), parameters_.gradient(tokens_), weight_});
  kernels::add_sum(queue, head_.losses(), sums_.rows(0, 1));
  kernels::add_sum(queue, head_.correct(), sums_.rows(1, 1));
  return hidden;
}

void MaskedLanguageModel::backward(Queue& queue, const MaskedBatch& batch) {
  const Pass pass{queue, batch.input};
  head_.backward(pass, batch.selected, encoder_.gradient(pass));
  parameters_.complete(vocabulary_bias_);
  encoder_.backward(pass);
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

#include "objectives/generator.hpp"

#include <algorithm>

#include "base/random.hpp"
#include "kernels/elementwise.hpp"
#include "kernels/linear.hpp"

namespace tenfold {

namespace {

EncoderShape divided(const Settings& settings) {
  EncoderShape shape = encoder_shape(settings.model);
  const int divider = *settings.objective.generator_divider;
  shape.width /= divider;
  shape.feed_forward /= divider;
  shape.heads = std::max(1, shape.heads / divider);
  return shape;
}

/// The released code of MC-BERT gives mass to all tokens but these two.
std::vector<std::int32_t> never_drawn(const ObjectiveSettings& objective, const SpecialTokens& special) {
  if (objective.sampling == Sampling::released) return {special.pad, special.none_of_the_above};
  const auto ids = special.never_drawn();
  return {ids.begin(), ids.end()};
}

}  // namespace

Generator::Generator(const Settings& settings, const std::string& name, const Vocabulary& vocabulary,
                     ParameterView tokens, ParameterView vocabulary_bias, Parameters& parameters)
    : parameters_(parameters),
      shape_(divided(settings)),
      tokens_(tokens),
      projection_(parameters.add(name + ".projection.weight", {shape_.width, tokens.shape[1]}, Initial::normal,
                                 Storage::compute)),
      projection_bias_(parameters.add(name + ".projection.bias", {shape_.width}, Initial::zero, Storage::master)),
      encoder_(parameters, name + ".", {tokens, projection_, projection_bias_}, shape_,
               position_shape(settings.model, settings.data.sequence_length), settings.run.seed),
      vocabulary_bias_(vocabulary_bias ? vocabulary_bias
                                       : parameters.add(name + ".head.bias", {vocabulary.size}, Initial::zero,
                                                        Storage::master, TensorSplit::rows)),
      head_(parameters, name + ".", shape_.width, shape_.layer_norm_epsilon, vocabulary_bias_),
      excluded_(never_drawn(settings.objective, vocabulary.special)) {
  sampling_.draws.key = stream_key(settings.run.seed, name + ".draws");
}

void Generator::allocate(Arena& arena, const BatchBudget& budget, DType type) {
  encoder_.allocate(arena, budget, type);
  head_.allocate(arena, budget.selected, type);
  const Shape extents{tokens_.shape[0], shape_.width};
  table_ = arena.allocate(type, extents);
  table_gradient_ = arena.allocate(DType::f32, extents);
  table_gradient_compute_ = type == DType::f32 ? table_gradient_ : arena.allocate(type, extents);
  sampling_.excluded = arena.allocate(DType::i32, {static_cast<std::int64_t>(excluded_.size())});
  sampling_.tokens = arena.allocate(DType::i32, {budget.selected});
  weight_ = arena.allocate(DType::f32, {1});
}

void Generator::prepare(Queue& queue) {
  encoder_.prepare(queue);
  queue.copy_in(excluded_.data(), sampling_.excluded);
}

void Generator::begin_step(Queue& queue, const Counts& counts) {
  const auto weight = static_cast<float>(1.0 / counts.selected_divisor());
  queue.copy_in(&weight, weight_);
}

void Generator::forward(const Pass& pass, const SelectedRows& selected) {
  Queue& queue = pass.queue;
  kernels::linear_forward(queue, parameters_.weight(tokens_), parameters_.weight(projection_),
                          parameters_.weight(projection_bias_), table_);
  hidden_ = encoder_.forward(pass);
  sampling_.draws.step = pass.input.step;
  sampling_.draws.rows = pass.input.rows;
  sampling_.rank_sum = sums_.rows(2, 1);
  if (pass.training) queue.clear(table_gradient_);
  head_.forward(pass, selected, hidden_, {table_, table_gradient_, weight_}, &sampling_);
  kernels::add_sum(queue, head_.losses(), sums_.rows(0, 1));
  kernels::add_sum(queue, head_.correct(), sums_.rows(1, 1));
}

void Generator::backward(const Pass& pass, const SelectedRows& selected) {
  Queue& queue = pass.queue;
  head_.backward(pass, selected, encoder_.gradient(pass));
  encoder_.backward(pass);
  if (table_gradient_compute_.dtype() != DType::f32) kernels::convert(queue, table_gradient_, table_gradient_compute_);
  kernels::linear_backward_weight(queue, table_gradient_compute_, parameters_.weight(tokens_),
                                  parameters_.gradient(projection_), parameters_.gradient(projection_bias_));
  kernels::linear_backward_input(queue, table_gradient_compute_, parameters_.weight(projection_),
                                 parameters_.gradient(tokens_), true);
}

double Generator::forward_flops(const Counts& counts) const {
  const auto wide = static_cast<double>(tokens_.shape[1]);
  const auto vocabulary = static_cast<double>(tokens_.shape[0]);
  return Encoder::forward_flops(shape_, counts.tokens, counts.squares) + 2.0 * counts.tokens * wide * shape_.width +
         LanguageModelHead::forward_flops(shape_.width, vocabulary, counts.selected);
}

double Generator::fixed_flops() const {
  return encoder_.fixed_flops() + 2.0 * static_cast<double>(tokens_.shape[0] * tokens_.shape[1]) * shape_.width;
}

}  // namespace tenfold

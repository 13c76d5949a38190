#include "model/embedding.hpp"

#include "base/random.hpp"
#include "kernels/embedding.hpp"
#include "kernels/layer_norm.hpp"
#include "kernels/linear.hpp"
#include "kernels/notes.hpp"

namespace tenfold {

namespace {

void mix_in(const Pass& pass, const Tensor& x) {
  const NoteInput& notes = pass.input.notes;
  if (notes)
    kernels::mix_notes(pass.queue, notes.begin, notes.end, notes.count, notes.vectors, notes.mix, notes.rescale, x);
}

void mix_in_backward(const Pass& pass, const Tensor& gradient) {
  const NoteInput& notes = pass.input.notes;
  if (notes) kernels::mix_notes_backward(pass.queue, notes.begin, notes.end, notes.count, notes.mix, gradient);
}

}  // namespace

Embedding::Embedding(Parameters& parameters, const std::string& prefix, const TokenTable& tokens, std::int64_t length,
                     bool positions, const EncoderShape& shape, std::uint64_t seed)
    : parameters_(parameters),
      tokens_(tokens),
      dropout_(shape.dropout),
      epsilon_(shape.layer_norm_epsilon),
      dropout_key_(stream_key(seed, "dropout." + prefix + "embeddings")) {
  const std::int64_t d = tokens.width();
  if (positions)
    positions_ = parameters.add(prefix + "embeddings.position.weight", {length, d}, Initial::normal, Storage::compute);
  gain_ = parameters.add(prefix + "embeddings.layer_norm.weight", {d}, Initial::one, Storage::master);
  bias_ = parameters.add(prefix + "embeddings.layer_norm.bias", {d}, Initial::zero, Storage::master);
}

void Embedding::allocate(Arena& arena, const RowBudget& budget, DType type) {
  if (tokens_.projection)
    for (Tensor* wide : {&wide_, &wide_gradient_}) *wide = arena.allocate(type, {budget.rows, tokens_.table.shape[1]});
  for (Tensor* rows : {&sum_, &output_}) *rows = arena.allocate(type, {budget.rows, tokens_.width()});
  for (Tensor* statistic : {&mean_, &rstd_}) *statistic = arena.allocate(DType::f32, {budget.rows});
}

Tensor Embedding::forward(const Pass& pass) {
  Queue& queue = pass.queue;
  const Tensor sum = pass.rows(sum_), output = pass.rows(output_);
  look_up(pass, sum);
  kernels::layer_norm_forward(queue, sum, parameters_.weight(gain_), parameters_.weight(bias_), epsilon_, output,
                              pass.rows(mean_), pass.rows(rstd_));
  kernels::dropout_forward(queue, output, pass.dropout(dropout_, dropout_key_), output);
  return output;
}

void Embedding::backward(const Pass& pass, const Tensor& gradient) {
  Queue& queue = pass.queue;
  kernels::dropout_backward(queue, gradient, pass.dropout(dropout_, dropout_key_), gradient);
  kernels::layer_norm_backward(queue, gradient, pass.rows(sum_), parameters_.weight(gain_), pass.rows(mean_),
                               pass.rows(rstd_), gradient, parameters_.gradient(gain_), parameters_.gradient(bias_));
  look_up_backward(pass, gradient);
}

void Embedding::look_up(const Pass& pass, const Tensor& sum) {
  Queue& queue = pass.queue;
  const EncoderInput& input = pass.input;
  const Tensor tokens = pass.rows(input.tokens);
  const Tensor table = parameters_.weight(tokens_.table);
  const Tensor positions = parameters_.weight(positions_);
  if (!tokens_.projection) {
    kernels::embedding_forward(queue, tokens, input.rows, table, positions, sum);
    mix_in(pass, sum);
    return;
  }
  const Tensor wide = pass.rows(wide_);
  kernels::embedding_forward(queue, tokens, input.rows, table, {}, wide);
  mix_in(pass, wide);
  kernels::linear_forward(queue, wide, parameters_.weight(tokens_.projection),
                          parameters_.weight(tokens_.projection_bias), sum);
  if (positions) kernels::positions_forward(queue, input.rows, positions, sum);
}

void Embedding::look_up_backward(const Pass& pass, const Tensor& gradient) {
  Queue& queue = pass.queue;
  const EncoderInput& input = pass.input;
  const Tensor tokens = pass.rows(input.tokens);
  const Tensor table_gradient = parameters_.gradient(tokens_.table);
  const Tensor positions_gradient = parameters_.gradient(positions_);
  if (!tokens_.projection) {
    mix_in_backward(pass, gradient);
    kernels::embedding_backward(queue, tokens, input.rows, gradient, table_gradient, positions_gradient);
    return;
  }
  const Tensor wide = pass.rows(wide_), wide_gradient = pass.rows(wide_gradient_);
  if (positions_gradient) kernels::positions_backward(queue, input.rows, gradient, positions_gradient);
  kernels::linear_backward_weight(queue, gradient, wide, parameters_.gradient(tokens_.projection),
                                  parameters_.gradient(tokens_.projection_bias));
  kernels::linear_backward_input(queue, gradient, parameters_.weight(tokens_.projection), wide_gradient, false);
  mix_in_backward(pass, wide_gradient);
  kernels::embedding_backward(queue, tokens, input.rows, wide_gradient, table_gradient, {});
}

}  // namespace tenfold

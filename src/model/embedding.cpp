#include "model/embedding.hpp"

#include "base/random.hpp"
#include "kernels/embedding.hpp"
#include "kernels/layer_norm.hpp"
#include "kernels/linear.hpp"

namespace tenfold {

namespace {

void mix_in(const Pass& pass, const Tensor& x) {
  const NoteBatch& notes = pass.batch.notes;
  if (notes)
    kernels::mix_notes(pass.queue, notes.begin, notes.end, notes.count, notes.vectors, notes.mix, notes.rescale, x);
}

void mix_in_backward(const Pass& pass, const Tensor& gradient) {
  const NoteBatch& notes = pass.batch.notes;
  if (notes) kernels::mix_notes_backward(pass.queue, notes.begin, notes.end, notes.count, notes.mix, gradient);
}

}  // namespace

Embedding::Embedding(Parameters& parameters, const std::string& prefix, const TokenTable& tokens, std::int64_t length,
                     bool positions, double dropout, std::uint64_t seed)
    : parameters_(parameters),
      tokens_(tokens),
      dropout_(dropout),
      dropout_key_(stream_key(seed, "dropout." + prefix + "embeddings")) {
  const std::int64_t d = tokens.width();
  if (positions)
    positions_ = parameters.add(prefix + "embeddings.position.weight", {length, d}, Initial::normal, Storage::compute);
  gain_ = parameters.add(prefix + "embeddings.layer_norm.weight", {d}, Initial::one, Storage::master);
  bias_ = parameters.add(prefix + "embeddings.layer_norm.bias", {d}, Initial::zero, Storage::master);
}

void Embedding::allocate(Arena& arena, const BatchShape& batch, DType type) {
  if (tokens_.projection) {
    wide_ = arena.allocate(type, {batch.rows(), tokens_.table.shape[1]});
    wide_gradient_ = arena.allocate(type, {batch.rows(), tokens_.table.shape[1]});
  }
  sum_ = arena.allocate(type, {batch.rows(), tokens_.width()});
  output_ = arena.allocate(type, {batch.rows(), tokens_.width()});
  mean_ = arena.allocate(DType::f32, {batch.rows()});
  rstd_ = arena.allocate(DType::f32, {batch.rows()});
}

const Tensor& Embedding::forward(const Pass& pass) {
  Queue& queue = pass.queue;
  look_up(pass);
  kernels::layer_norm_forward(queue, sum_, parameters_.weight(gain_), parameters_.weight(bias_), output_, mean_, rstd_);
  kernels::dropout_forward(queue, output_, pass.batch.lengths, pass.dropout(dropout_, dropout_key_), output_);
  return output_;
}

void Embedding::backward(const Pass& pass, const Tensor& gradient) {
  Queue& queue = pass.queue;
  kernels::dropout_backward(queue, gradient, pass.batch.lengths, pass.dropout(dropout_, dropout_key_), gradient);
  kernels::layer_norm_backward(queue, gradient, sum_, parameters_.weight(gain_), mean_, rstd_, gradient,
                               parameters_.gradient(gain_), parameters_.gradient(bias_));
  look_up_backward(pass, gradient);
}

void Embedding::look_up(const Pass& pass) {
  Queue& queue = pass.queue;
  const Tensor table = parameters_.weight(tokens_.table);
  const Tensor positions = parameters_.weight(positions_);
  if (!tokens_.projection) {
    kernels::embedding_forward(queue, pass.batch.tokens, table, positions, sum_);
    mix_in(pass, sum_);
    return;
  }
  kernels::embedding_forward(queue, pass.batch.tokens, table, {}, wide_);
  mix_in(pass, wide_);
  kernels::linear_forward(queue, wide_, parameters_.weight(tokens_.projection),
                          parameters_.weight(tokens_.projection_bias), sum_);
  if (positions) kernels::positions_forward(queue, positions, sum_);
}

void Embedding::look_up_backward(const Pass& pass, const Tensor& gradient) {
  Queue& queue = pass.queue;
  const Batch& batch = pass.batch;
  const Tensor table_gradient = parameters_.gradient(tokens_.table);
  const Tensor positions_gradient = parameters_.gradient(positions_);
  if (!tokens_.projection) {
    mix_in_backward(pass, gradient);
    kernels::embedding_backward(queue, batch.tokens, batch.lengths, gradient, table_gradient, positions_gradient);
    return;
  }
  if (positions_gradient) kernels::positions_backward(queue, batch.lengths, gradient, positions_gradient);
  kernels::linear_backward_weight(queue, gradient, wide_, parameters_.gradient(tokens_.projection),
                                  parameters_.gradient(tokens_.projection_bias));
  kernels::linear_backward_input(queue, gradient, parameters_.weight(tokens_.projection), wide_gradient_);
  mix_in_backward(pass, wide_gradient_);
  kernels::embedding_backward(queue, batch.tokens, batch.lengths, wide_gradient_, table_gradient, {});
}

}  // namespace tenfold

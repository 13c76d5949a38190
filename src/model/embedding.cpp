#include "model/embedding.hpp"

#include "base/random.hpp"
#include "kernels/embedding.hpp"
#include "kernels/layer_norm.hpp"

namespace tenfold {

Embedding::Embedding(Parameters& parameters, const std::string& prefix, ParameterView tokens, std::int64_t length,
                     bool positions, double dropout, std::uint64_t seed)
    : parameters_(parameters),
      tokens_(tokens),
      dropout_(dropout),
      dropout_key_(stream_key(seed, "dropout." + prefix + "embeddings")) {
  const std::int64_t d = tokens.shape[1];
  if (positions)
    positions_ = parameters.add(prefix + "embeddings.position.weight", {length, d}, Initial::normal, Storage::compute);
  gain_ = parameters.add(prefix + "embeddings.layer_norm.weight", {d}, Initial::one, Storage::master);
  bias_ = parameters.add(prefix + "embeddings.layer_norm.bias", {d}, Initial::zero, Storage::master);
}

void Embedding::allocate(Arena& arena, const BatchShape& batch, DType type) {
  sum_ = arena.allocate(type, {batch.rows(), tokens_.shape[1]});
  output_ = arena.allocate(type, {batch.rows(), tokens_.shape[1]});
  mean_ = arena.allocate(DType::f32, {batch.rows()});
  rstd_ = arena.allocate(DType::f32, {batch.rows()});
}

const Tensor& Embedding::forward(const Pass& pass) {
  Queue& queue = pass.queue;
  kernels::embedding_forward(queue, pass.batch.tokens, parameters_.weight(tokens_), parameters_.weight(positions_), sum_);
  kernels::layer_norm_forward(queue, sum_, parameters_.weight(gain_), parameters_.weight(bias_), output_, mean_, rstd_);
  kernels::dropout_forward(queue, output_, pass.batch.lengths, pass.dropout(dropout_, dropout_key_), output_);
  return output_;
}

void Embedding::backward(const Pass& pass, const Tensor& gradient) {
  Queue& queue = pass.queue;
  kernels::dropout_backward(queue, gradient, pass.batch.lengths, pass.dropout(dropout_, dropout_key_), gradient);
  kernels::layer_norm_backward(queue, gradient, sum_, parameters_.weight(gain_), mean_, rstd_, gradient,
                               parameters_.gradient(gain_), parameters_.gradient(bias_));
  kernels::embedding_backward(queue, pass.batch.tokens, pass.batch.lengths, gradient, parameters_.gradient(tokens_),
                              parameters_.gradient(positions_));
}

}  // namespace tenfold

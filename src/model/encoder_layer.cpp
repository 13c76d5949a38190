#include "model/encoder_layer.hpp"

#include "base/random.hpp"
#include "kernels/gelu.hpp"
#include "kernels/layer_norm.hpp"
#include "kernels/linear.hpp"

namespace tenfold {

namespace {
kernels::AttentionShape attention_shape(const EncoderShape& shape, const BatchShape& batch) {
  return {batch.sequences, shape.heads, batch.length, shape.head_width()};
}
}  // namespace

LayerScratch::LayerScratch(Arena& arena, const EncoderShape& shape, const BatchShape& batch, DType type)
    : branch(arena.allocate(type, {batch.rows(), shape.width})),
      context(arena.allocate(type, {batch.rows(), shape.width})),
      qkv(arena.allocate(type, {batch.rows(), 3 * shape.width})),
      hidden(arena.allocate(type, {batch.rows(), shape.feed_forward})),
      attention(arena.allocate(DType::u8, {kernels::attention_workspace_bytes(attention_shape(shape, batch), type)})) {}

EncoderLayer::EncoderLayer(Parameters& parameters, const std::string& name, const EncoderShape& shape,
                           std::uint64_t seed)
    : parameters_(parameters),
      shape_(shape),
      attention_key_(stream_key(seed, "dropout." + name + ".attention.probabilities")),
      attention_output_key_(stream_key(seed, "dropout." + name + ".attention.output")),
      feed_forward_key_(stream_key(seed, "dropout." + name + ".feed_forward.output")) {
  const std::int64_t d = shape.width;
  const std::int64_t f = shape.feed_forward;
  const std::string attention = name + ".attention.";
  const std::string feed_forward = name + ".feed_forward.";
  qkv_weight_ =
      parameters.add_stacked({attention + "query.weight", attention + "key.weight", attention + "value.weight"}, {d, d},
                             Initial::normal, Storage::compute);
  qkv_bias_ = parameters.add_stacked({attention + "query.bias", attention + "key.bias", attention + "value.bias"}, {d},
                                     Initial::zero, Storage::master);
  output_weight_ = parameters.add(attention + "output.weight", {d, d}, Initial::normal, Storage::compute);
  output_bias_ = parameters.add(attention + "output.bias", {d}, Initial::zero, Storage::master);
  norm1_gain_ = parameters.add(attention + "layer_norm.weight", {d}, Initial::one, Storage::master);
  norm1_bias_ = parameters.add(attention + "layer_norm.bias", {d}, Initial::zero, Storage::master);
  in_weight_ = parameters.add(feed_forward + "input.weight", {f, d}, Initial::normal, Storage::compute);
  in_bias_ = parameters.add(feed_forward + "input.bias", {f}, Initial::zero, Storage::master);
  out_weight_ = parameters.add(feed_forward + "output.weight", {d, f}, Initial::normal, Storage::compute);
  out_bias_ = parameters.add(feed_forward + "output.bias", {d}, Initial::zero, Storage::master);
  norm2_gain_ = parameters.add(feed_forward + "layer_norm.weight", {d}, Initial::one, Storage::master);
  norm2_bias_ = parameters.add(feed_forward + "layer_norm.bias", {d}, Initial::zero, Storage::master);
}

void EncoderLayer::allocate(Arena& arena, const BatchShape& batch, DType type) {
  const std::int64_t n = batch.rows();
  const std::int64_t d = shape_.width;
  qkv_ = arena.allocate(type, {n, 3 * d});
  probabilities_ = arena.allocate(type, {batch.sequences, shape_.heads, batch.length, batch.length});
  context_ = arena.allocate(type, {n, d});
  sum1_ = arena.allocate(type, {n, d});
  middle_ = arena.allocate(type, {n, d});
  hidden_ = arena.allocate(type, {n, shape_.feed_forward});
  activated_ = arena.allocate(type, {n, shape_.feed_forward});
  sum2_ = arena.allocate(type, {n, d});
  output_ = arena.allocate(type, {n, d});
  for (Tensor* statistic : {&mean1_, &rstd1_, &mean2_, &rstd2_}) *statistic = arena.allocate(DType::f32, {n});
}

const Tensor& EncoderLayer::forward(const Pass& pass, const Tensor& x, const AttentionBias& bias,
                                    const LayerScratch& scratch) {
  Queue& queue = pass.queue;
  const auto weight = [&](const ParameterView& view) { return parameters_.weight(view); };
  input_ = x;
  kernels::linear_forward(queue, x, weight(qkv_weight_), weight(qkv_bias_), qkv_);
  kernels::attention_forward(queue, qkv_, bias.value, pass.batch.lengths, bias.scale,
                             pass.dropout(shape_.attention_dropout, attention_key_), context_, probabilities_,
                             scratch.attention);
  kernels::linear_forward(queue, context_, weight(output_weight_), weight(output_bias_), sum1_);
  kernels::residual_layer_norm_forward(queue, sum1_, x, pass.dropout(shape_.dropout, attention_output_key_),
                                       weight(norm1_gain_), weight(norm1_bias_), sum1_, middle_, mean1_, rstd1_);
  kernels::linear_forward(queue, middle_, weight(in_weight_), weight(in_bias_), hidden_);
  kernels::gelu_forward(queue, hidden_, activated_, hidden_);
  kernels::linear_forward(queue, activated_, weight(out_weight_), weight(out_bias_), sum2_);
  kernels::residual_layer_norm_forward(queue, sum2_, middle_, pass.dropout(shape_.dropout, feed_forward_key_),
                                       weight(norm2_gain_), weight(norm2_bias_), sum2_, output_, mean2_, rstd2_);
  return output_;
}

void EncoderLayer::backward(const Pass& pass, const Tensor& gradient, const AttentionBias& bias,
                            const LayerScratch& scratch) {
  Queue& queue = pass.queue;
  const auto weight = [&](const ParameterView& view) { return parameters_.weight(view); };
  const auto grad = [&](const ParameterView& view) { return parameters_.gradient(view); };
  kernels::residual_layer_norm_backward(queue, gradient, sum2_, pass.dropout(shape_.dropout, feed_forward_key_),
                                        weight(norm2_gain_), mean2_, rstd2_, gradient, scratch.branch,
                                        grad(norm2_gain_), grad(norm2_bias_));
  kernels::linear_backward_weight(queue, scratch.branch, activated_, grad(out_weight_), grad(out_bias_));
  kernels::linear_backward_input(queue, scratch.branch, weight(out_weight_), scratch.hidden);
  kernels::gelu_backward(queue, scratch.hidden, hidden_, scratch.hidden);
  kernels::linear_backward_weight(queue, scratch.hidden, middle_, grad(in_weight_), grad(in_bias_));
  kernels::linear_backward_input(queue, scratch.hidden, weight(in_weight_), gradient, true);

  kernels::residual_layer_norm_backward(queue, gradient, sum1_, pass.dropout(shape_.dropout, attention_output_key_),
                                        weight(norm1_gain_), mean1_, rstd1_, gradient, scratch.branch,
                                        grad(norm1_gain_), grad(norm1_bias_));
  kernels::linear_backward_weight(queue, scratch.branch, context_, grad(output_weight_), grad(output_bias_));
  kernels::linear_backward_input(queue, scratch.branch, weight(output_weight_), scratch.context);
  kernels::attention_backward(queue, scratch.context, qkv_, probabilities_, pass.batch.lengths, bias.scale,
                              pass.dropout(shape_.attention_dropout, attention_key_), scratch.qkv, bias.gradient,
                              scratch.attention);
  kernels::linear_backward_weight(queue, scratch.qkv, input_, grad(qkv_weight_), grad(qkv_bias_));
  kernels::linear_backward_input(queue, scratch.qkv, weight(qkv_weight_), gradient, true);
}

}  // namespace tenfold

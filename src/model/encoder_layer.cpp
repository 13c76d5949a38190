#include "model/encoder_layer.hpp"

#include "base/random.hpp"
#include "kernels/gelu.hpp"
#include "kernels/layer_norm.hpp"
#include "kernels/linear.hpp"

namespace tenfold {

LayerScratch::LayerScratch(Arena& arena, const EncoderShape& shape, const RowBudget& budget, DType type)
    : branch(arena.allocate(type, {budget.rows, shape.width})),
      context(arena.allocate(type, {budget.rows, shape.width})),
      qkv(arena.allocate(type, {budget.rows, 3 * shape.width})),
      hidden(arena.allocate(type, {budget.rows, shape.feed_forward})),
      attention(arena.allocate(DType::u8, {kernels::attention_workspace_bytes(
                                              arena.device().kind(),
                                              {budget.rows, budget.length, shape.heads, shape.head_width()}, type)})) {}

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
                             Initial::normal, Storage::compute, TensorSplit::rows);
  qkv_bias_ = parameters.add_stacked({attention + "query.bias", attention + "key.bias", attention + "value.bias"}, {d},
                                     Initial::zero, Storage::master, TensorSplit::rows);
  output_weight_ =
      parameters.add(attention + "output.weight", {d, d}, Initial::normal, Storage::compute, TensorSplit::columns);
  output_bias_ = parameters.add(attention + "output.bias", {d}, Initial::zero, Storage::master);
  norm1_gain_ = parameters.add(attention + "layer_norm.weight", {d}, Initial::one, Storage::master);
  norm1_bias_ = parameters.add(attention + "layer_norm.bias", {d}, Initial::zero, Storage::master);
  in_weight_ =
      parameters.add(feed_forward + "input.weight", {f, d}, Initial::normal, Storage::compute, TensorSplit::rows);
  in_bias_ = parameters.add(feed_forward + "input.bias", {f}, Initial::zero, Storage::master, TensorSplit::rows);
  out_weight_ =
      parameters.add(feed_forward + "output.weight", {d, f}, Initial::normal, Storage::compute, TensorSplit::columns);
  out_bias_ = parameters.add(feed_forward + "output.bias", {d}, Initial::zero, Storage::master);
  norm2_gain_ = parameters.add(feed_forward + "layer_norm.weight", {d}, Initial::one, Storage::master);
  norm2_bias_ = parameters.add(feed_forward + "layer_norm.bias", {d}, Initial::zero, Storage::master);
}

kernels::AttentionShape EncoderLayer::attention_shape(std::int64_t rows) const {
  return {rows, length_, shape_.heads, shape_.head_width()};
}

void EncoderLayer::allocate(Arena& arena, const RowBudget& budget, DType type) {
  const std::int64_t n = budget.rows;
  const std::int64_t d = shape_.width;
  length_ = budget.length;
  kept_.qkv = arena.allocate(type, {n, 3 * d});
  attention_saved_ =
      arena.allocate(DType::u8, {kernels::attention_saved_bytes(arena.device().kind(), attention_shape(n), type)});
  for (Tensor* rows : {&kept_.context, &kept_.sum1, &kept_.middle, &kept_.sum2, &kept_.output})
    *rows = arena.allocate(type, {n, d});
  for (Tensor* rows : {&kept_.hidden, &kept_.activated}) *rows = arena.allocate(type, {n, shape_.feed_forward});
  for (Tensor* statistic : {&kept_.mean1, &kept_.rstd1, &kept_.mean2, &kept_.rstd2})
    *statistic = arena.allocate(DType::f32, {n});
}

EncoderLayer::Activations EncoderLayer::Activations::of(const Pass& pass) const {
  Activations part = *this;
  for (Tensor* each : {&part.qkv, &part.context, &part.sum1, &part.mean1, &part.rstd1, &part.middle, &part.hidden,
                       &part.activated, &part.sum2, &part.mean2, &part.rstd2, &part.output})
    *each = pass.rows(*each);
  return part;
}

Tensor EncoderLayer::forward(const Pass& pass, const Tensor& x, const AttentionBias& bias,
                             const LayerScratch& scratch) {
  Queue& queue = pass.queue;
  const auto weight = [&](const ParameterView& view) { return parameters_.weight(view); };
  const Activations a = kept_.of(pass);
  input_ = x;
  attend(pass, a, bias, scratch);
  kernels::linear_forward(queue, a.middle, weight(in_weight_), weight(in_bias_), a.hidden);
  kernels::gelu_forward(queue, a.hidden, a.activated, a.hidden);
  kernels::linear_forward(queue, a.activated, weight(out_weight_), weight(out_bias_), a.sum2);
  kernels::residual_layer_norm_forward(queue, a.sum2, a.middle, pass.dropout(shape_.dropout, feed_forward_key_),
                                       weight(norm2_gain_), weight(norm2_bias_), shape_.layer_norm_epsilon, a.sum2,
                                       a.output, a.mean2, a.rstd2);
  return a.output;
}

void EncoderLayer::attend(const Pass& pass, const Activations& a, const AttentionBias& bias,
                          const LayerScratch& scratch) {
  Queue& queue = pass.queue;
  const auto weight = [&](const ParameterView& view) { return parameters_.weight(view); };
  kernels::linear_forward(queue, input_, weight(qkv_weight_), weight(qkv_bias_), a.qkv);
  kernels::attention_forward(queue, attention_shape(input_[0]), a.qkv, bias.value, bias.scale,
                             pass.dropout(shape_.attention_dropout, attention_key_), a.context, attention_saved_,
                             scratch.attention);
  kernels::linear_forward(queue, a.context, weight(output_weight_), weight(output_bias_), a.sum1);
  kernels::residual_layer_norm_forward(queue, a.sum1, input_, pass.dropout(shape_.dropout, attention_output_key_),
                                       weight(norm1_gain_), weight(norm1_bias_), shape_.layer_norm_epsilon, a.sum1,
                                       a.middle, a.mean1, a.rstd1);
}

void EncoderLayer::backward(const Pass& pass, const Tensor& gradient, const AttentionBias& bias,
                            const LayerScratch& scratch) {
  Queue& queue = pass.queue;
  const auto weight = [&](const ParameterView& view) { return parameters_.weight(view); };
  const auto grad = [&](const ParameterView& view) { return parameters_.gradient(view); };
  const Activations a = kept_.of(pass);
  const Tensor branch = pass.rows(scratch.branch), hidden = pass.rows(scratch.hidden);
  kernels::residual_layer_norm_backward(queue, gradient, a.sum2, pass.dropout(shape_.dropout, feed_forward_key_),
                                        weight(norm2_gain_), a.mean2, a.rstd2, gradient, branch, grad(norm2_gain_),
                                        grad(norm2_bias_));
  kernels::linear_backward_weight(queue, branch, a.activated, grad(out_weight_), grad(out_bias_));
  kernels::linear_backward_input(queue, branch, weight(out_weight_), hidden, false);
  kernels::gelu_backward(queue, hidden, a.hidden, hidden);
  kernels::linear_backward_weight(queue, hidden, a.middle, grad(in_weight_), grad(in_bias_));
  kernels::linear_backward_input(queue, hidden, weight(in_weight_), gradient, true);
  attend_backward(pass, a, gradient, bias, scratch);
  parameters_.complete(qkv_weight_);
}

void EncoderLayer::attend_backward(const Pass& pass, const Activations& a, const Tensor& gradient,
                                   const AttentionBias& bias, const LayerScratch& scratch) {
  Queue& queue = pass.queue;
  const auto weight = [&](const ParameterView& view) { return parameters_.weight(view); };
  const auto grad = [&](const ParameterView& view) { return parameters_.gradient(view); };
  const Tensor branch = pass.rows(scratch.branch), context = pass.rows(scratch.context), qkv = pass.rows(scratch.qkv);
  kernels::residual_layer_norm_backward(queue, gradient, a.sum1, pass.dropout(shape_.dropout, attention_output_key_),
                                        weight(norm1_gain_), a.mean1, a.rstd1, gradient, branch, grad(norm1_gain_),
                                        grad(norm1_bias_));
  kernels::linear_backward_weight(queue, branch, a.context, grad(output_weight_), grad(output_bias_));
  kernels::linear_backward_input(queue, branch, weight(output_weight_), context, false);
  kernels::attention_backward(queue, attention_shape(input_[0]), context, a.qkv, attention_saved_, bias.scale,
                              pass.dropout(shape_.attention_dropout, attention_key_), qkv, bias.gradient,
                              scratch.attention);
  kernels::linear_backward_weight(queue, qkv, input_, grad(qkv_weight_), grad(qkv_bias_));
  kernels::linear_backward_input(queue, qkv, weight(qkv_weight_), gradient, true);
}

}  // namespace tenfold

#include "model/position_encoder.hpp"

#include <cmath>

#include "kernels/elementwise.hpp"
#include "kernels/layer_norm.hpp"
#include "kernels/linear.hpp"

namespace tenfold {

PositionEncoder::PositionEncoder(Parameters& parameters, const std::string& prefix, const PositionShape& shape,
                                 const EncoderShape& encoder)
    : parameters_(parameters),
      shape_(shape),
      width_(encoder.width),
      heads_(encoder.heads),
      epsilon_(encoder.layer_norm_epsilon) {
  const auto add = [&](const char* name, Shape extents, Initial initial, TensorSplit split = TensorSplit::none) {
    return parameters.add(prefix + "position." + name, extents, initial, Storage::master, split);
  };
  const std::int64_t d = width_;
  if (shape.untied) {
    table_ = add("table.weight", {shape.length, d}, Initial::normal);
    gain_ = add("layer_norm.weight", {d}, Initial::one);
    bias_ = add("layer_norm.bias", {d}, Initial::zero);
    query_weight_ = add("query.weight", {d, d}, Initial::normal, TensorSplit::rows);
    query_bias_ = add("query.bias", {d}, Initial::zero, TensorSplit::rows);
    key_weight_ = add("key.weight", {d, d}, Initial::normal, TensorSplit::rows);
    key_bias_ = add("key.bias", {d}, Initial::zero, TensorSplit::rows);
  }
  if (shape.relative)
    relative_ = add("relative.weight", {shape.buckets, heads_}, Initial::normal, TensorSplit::columns);
  if (shape.relative && shape.untied && shape.untie_cls)
    cls_ = add("relative.cls", {heads_}, Initial::normal, TensorSplit::rows);
}

void PositionEncoder::allocate(Arena& arena) {
  if (!shape_.untied && !shape_.relative) return;
  const std::int64_t t = shape_.length;
  value_ = arena.allocate(DType::f32, {heads_, t, t});
  gradient_ = arena.allocate(DType::f32, {heads_, t, t});
  if (shape_.relative) buckets_ = arena.allocate(DType::i32, {2 * t - 1});
  if (!shape_.untied) return;
  for (Tensor* rows : {&normalised_, &query_, &key_, &query_gradient_, &key_gradient_, &normalised_gradient_})
    *rows = arena.allocate(DType::f32, {t, width_});
  mean_ = arena.allocate(DType::f32, {t});
  rstd_ = arena.allocate(DType::f32, {t});
}

void PositionEncoder::prepare(Queue& queue) {
  if (!shape_.relative) return;
  const auto table = kernels::relative_buckets(static_cast<int>(shape_.length), shape_.buckets, shape_.max_distance);
  queue.copy_in(table.data(), buckets_);
}

double PositionEncoder::forward_flops() const {
  const auto t = static_cast<double>(shape_.length), d = static_cast<double>(width_);
  return shape_.untied ? 2.0 * (2.0 * t * d * d + t * t * d) : 0.0;
}

kernels::PositionBias PositionEncoder::weights() const {
  return {query_,
          key_,
          parameters_.weight(relative_),
          buckets_,
          parameters_.weight(cls_),
          shape_.untied && shape_.untie_cls};
}

AttentionBias PositionEncoder::forward(Queue& queue) {
  const auto weight = [&](const ParameterView& view) { return parameters_.weight(view); };
  if (shape_.untied) {
    kernels::layer_norm_forward(queue, weight(table_), weight(gain_), weight(bias_), epsilon_, normalised_, mean_,
                                rstd_);
    kernels::linear_forward(queue, normalised_, weight(query_weight_), weight(query_bias_), query_);
    kernels::linear_forward(queue, normalised_, weight(key_weight_), weight(key_bias_), key_);
  }
  if (value_) {
    kernels::position_bias_forward(queue, weights(), value_);
    queue.clear(gradient_);
  }
  const double terms = shape_.untied ? 2.0 : 1.0;
  return {value_, gradient_, static_cast<float>(1.0 / std::sqrt(terms * width_ / heads_))};
}

void PositionEncoder::backward(Queue& queue) {
  if (!value_) return;
  const auto weight = [&](const ParameterView& view) { return parameters_.weight(view); };
  const auto grad = [&](const ParameterView& view) { return parameters_.gradient(view); };
  kernels::position_bias_backward(queue, gradient_, weights(),
                                  {query_gradient_, key_gradient_, grad(relative_), {}, grad(cls_), false});
  if (!shape_.untied) return;
  kernels::linear_backward_weight(queue, query_gradient_, normalised_, grad(query_weight_), grad(query_bias_));
  kernels::linear_backward_weight(queue, key_gradient_, normalised_, grad(key_weight_), grad(key_bias_));
  kernels::linear_backward_input(queue, query_gradient_, weight(query_weight_), normalised_gradient_, false);
  kernels::linear_backward_input(queue, key_gradient_, weight(key_weight_), normalised_gradient_, true);
  kernels::layer_norm_backward(queue, normalised_gradient_, weight(table_), weight(gain_), mean_, rstd_,
                               normalised_gradient_, grad(gain_), grad(bias_));
  kernels::add(queue, normalised_gradient_, grad(table_));
}

}  // namespace tenfold

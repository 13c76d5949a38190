#include "model/head_transform.hpp"

#include "kernels/gelu.hpp"
#include "kernels/layer_norm.hpp"
#include "kernels/linear.hpp"

namespace tenfold {

HeadTransform::HeadTransform(Parameters& parameters, const std::string& prefix, int width, float epsilon)
    : parameters_(parameters), epsilon_(epsilon) {
  const std::int64_t d = width;
  dense_weight_ = parameters.add(prefix + "head.dense.weight", {d, d}, Initial::normal, Storage::compute);
  dense_bias_ = parameters.add(prefix + "head.dense.bias", {d}, Initial::zero, Storage::master);
  gain_ = parameters.add(prefix + "head.layer_norm.weight", {d}, Initial::one, Storage::master);
  bias_ = parameters.add(prefix + "head.layer_norm.bias", {d}, Initial::zero, Storage::master);
}

HeadTransform::Rows::Rows(Arena& arena, std::int64_t n, int width, DType type)
    : dense(arena.allocate(type, {n, width})),
      activated(arena.allocate(type, {n, width})),
      output(arena.allocate(type, {n, width})),
      mean(arena.allocate(DType::f32, {n})),
      rstd(arena.allocate(DType::f32, {n})) {}

HeadTransform::Rows HeadTransform::Rows::first(std::int64_t n) const {
  Rows part = *this;
  for (Tensor* each : {&part.dense, &part.activated, &part.output, &part.mean, &part.rstd}) *each = each->rows(0, n);
  return part;
}

void HeadTransform::forward(Queue& queue, const Tensor& x, const Rows& rows) const {
  kernels::linear_forward(queue, x, parameters_.weight(dense_weight_), parameters_.weight(dense_bias_), rows.dense);
  kernels::gelu_forward(queue, rows.dense, rows.activated, rows.dense);
  kernels::layer_norm_forward(queue, rows.activated, parameters_.weight(gain_), parameters_.weight(bias_), epsilon_,
                              rows.output, rows.mean, rows.rstd);
}

void HeadTransform::backward(Queue& queue, const Tensor& x, const Rows& rows, const Tensor& gradient,
                             const Tensor& dx) const {
  const auto grad = [&](const ParameterView& view) { return parameters_.gradient(view); };
  kernels::layer_norm_backward(queue, gradient, rows.activated, parameters_.weight(gain_), rows.mean, rows.rstd,
                               gradient, grad(gain_), grad(bias_));
  kernels::gelu_backward(queue, gradient, rows.dense, gradient);
  kernels::linear_backward_weight(queue, gradient, x, grad(dense_weight_), grad(dense_bias_));
  kernels::linear_backward_input(queue, gradient, parameters_.weight(dense_weight_), dx, false);
  parameters_.complete(dense_weight_);
}

}  // namespace tenfold

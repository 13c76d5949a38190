#include "model/language_model_head.hpp"

#include <algorithm>

#include "kernels/cross_entropy.hpp"
#include "kernels/gather_rows.hpp"
#include "kernels/gelu.hpp"
#include "kernels/layer_norm.hpp"
#include "kernels/linear.hpp"

namespace tenfold {

namespace {
constexpr std::int64_t block_rows = 512;  // logits of a block: enough rows for an efficient product, few enough to stay small
}

LanguageModelHead::LanguageModelHead(Parameters& parameters, const std::string& prefix, int width,
                                     ParameterView vocabulary_bias)
    : parameters_(parameters), width_(width), vocabulary_bias_(vocabulary_bias) {
  const std::int64_t d = width;
  dense_weight_ = parameters.add(prefix + "head.dense.weight", {d, d}, Initial::normal, Storage::compute);
  dense_bias_ = parameters.add(prefix + "head.dense.bias", {d}, Initial::zero, Storage::master);
  gain_ = parameters.add(prefix + "head.layer_norm.weight", {d}, Initial::one, Storage::master);
  bias_ = parameters.add(prefix + "head.layer_norm.bias", {d}, Initial::zero, Storage::master);
}

void LanguageModelHead::allocate(Arena& arena, const BatchShape& batch, DType type) {
  const std::int64_t r = batch.selected;
  const std::int64_t v = vocabulary_bias_.shape[0];
  for (Tensor* rows : {&selected_, &dense_, &activated_, &output_, &output_gradient_})
    *rows = arena.allocate(type, {r, width_});
  for (Tensor* statistic : {&mean_, &rstd_, &losses_}) *statistic = arena.allocate(DType::f32, {r});
  correct_ = arena.allocate(DType::i32, {r});
  logits_ = arena.allocate(DType::f32, {std::min(r, block_rows), v});
  logits_gradient_ = type == DType::f32 ? logits_ : arena.allocate(type, {std::min(r, block_rows), v});
}

void LanguageModelHead::forward_backward(const Pass& pass, const Tensor& hidden, const Tensor& table,
                                         const Tensor& table_gradient, const Tensor& gradient) {
  transform(pass.queue, pass.batch, hidden);
  const std::int64_t r = selected_[0];
  for (std::int64_t first = 0; first < r; first += block_rows)
    score_block(pass, first, std::min(block_rows, r - first), table, table_gradient);
  if (gradient) transform_backward(pass.queue, pass.batch, gradient);
}

void LanguageModelHead::transform(Queue& queue, const Batch& batch, const Tensor& hidden) {
  kernels::gather_rows(queue, hidden, batch.selected_rows, batch.selected, selected_);
  kernels::linear_forward(queue, selected_, parameters_.weight(dense_weight_), parameters_.weight(dense_bias_), dense_);
  kernels::gelu_forward(queue, dense_, activated_);
  kernels::layer_norm_forward(queue, activated_, parameters_.weight(gain_), parameters_.weight(bias_), output_, mean_, rstd_);
}

void LanguageModelHead::score_block(const Pass& pass, std::int64_t first, std::int64_t rows, const Tensor& table,
                                    const Tensor& table_gradient) {
  Queue& queue = pass.queue;
  const Tensor output = output_.rows(first, rows);
  const Tensor logits = logits_.rows(0, rows);
  const Tensor logits_gradient = table_gradient ? logits_gradient_.rows(0, rows) : Tensor();
  kernels::linear_forward(queue, output, table, parameters_.weight(vocabulary_bias_), logits);
  kernels::softmax_cross_entropy(queue, logits, pass.batch.labels.rows(first, rows), first, pass.batch.selected,
                                 pass.batch.weight_mlm, losses_.rows(first, rows), correct_.rows(first, rows),
                                 logits_gradient);
  if (!table_gradient) return;
  kernels::linear_backward_input(queue, logits_gradient, table, output_gradient_.rows(first, rows));
  kernels::linear_backward_weight(queue, logits_gradient, output, table_gradient, parameters_.gradient(vocabulary_bias_));
}

void LanguageModelHead::transform_backward(Queue& queue, const Batch& batch, const Tensor& gradient) {
  const auto grad = [&](const ParameterView& view) { return parameters_.gradient(view); };
  kernels::layer_norm_backward(queue, output_gradient_, activated_, parameters_.weight(gain_), mean_, rstd_,
                               output_gradient_, grad(gain_), grad(bias_));
  kernels::gelu_backward(queue, output_gradient_, dense_, output_gradient_);
  kernels::linear_backward_weight(queue, output_gradient_, selected_, grad(dense_weight_), grad(dense_bias_));
  // `activated_` has been used for the last time: it takes the gradient of the gathered rows.
  kernels::linear_backward_input(queue, output_gradient_, parameters_.weight(dense_weight_), activated_);
  kernels::scatter_rows(queue, activated_, batch.selected_rows, batch.selected, gradient);
}

}  // namespace tenfold

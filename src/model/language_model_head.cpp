#include "model/language_model_head.hpp"

#include <algorithm>

#include "kernels/cross_entropy.hpp"
#include "kernels/gather_rows.hpp"
#include "kernels/linear.hpp"
#include "kernels/statistics.hpp"

namespace tenfold {

namespace {
constexpr std::int64_t block_rows =
    512;  // logits of a block: enough rows for an efficient product, few enough to stay small
}

LanguageModelHead::LanguageModelHead(Parameters& parameters, const std::string& prefix, int width,
                                     ParameterView vocabulary_bias)
    : parameters_(parameters),
      width_(width),
      transform_(parameters, prefix, width),
      vocabulary_bias_(vocabulary_bias) {}

void LanguageModelHead::allocate(Arena& arena, const BatchShape& batch, DType type) {
  const std::int64_t r = batch.selected;
  const std::int64_t v = vocabulary_bias_.shape[0];
  rows_ = HeadTransform::Rows(arena, r, width_, type);
  selected_ = arena.allocate(type, {r, width_});
  output_gradient_ = arena.allocate(type, {r, width_});
  losses_ = arena.allocate(DType::f32, {r});
  correct_ = arena.allocate(DType::i32, {r});
  logits_ = arena.allocate(DType::f32, {std::min(r, block_rows), v});
  logits_gradient_ = type == DType::f32 ? logits_ : arena.allocate(type, {std::min(r, block_rows), v});
}

void LanguageModelHead::forward_backward(const Pass& pass, const Tensor& hidden, const Tensor& table,
                                         const Tensor& table_gradient, const Tensor& gradient,
                                         const TokenSampling* sampling) {
  Queue& queue = pass.queue;
  const Batch& batch = pass.batch;
  kernels::gather_rows(queue, hidden, batch.selected_rows, batch.selected, selected_);
  transform_.forward(queue, selected_, rows_);
  const std::int64_t r = selected_[0];
  for (std::int64_t first = 0; first < r; first += block_rows)
    score_block(pass, first, std::min(block_rows, r - first), table, table_gradient, sampling);
  if (!gradient) return;
  // What the transform kept of its activation is used up by its backward pass and then takes the gathered rows'
  // gradient.
  transform_.backward(queue, selected_, rows_, output_gradient_, rows_.activated);
  kernels::scatter_rows(queue, rows_.activated, batch.selected_rows, batch.selected, gradient);
}

void LanguageModelHead::score_block(const Pass& pass, std::int64_t first, std::int64_t rows, const Tensor& table,
                                    const Tensor& table_gradient, const TokenSampling* sampling) {
  Queue& queue = pass.queue;
  const Batch& batch = pass.batch;
  const Tensor output = rows_.output.rows(first, rows);
  const Tensor labels = batch.labels.rows(first, rows);
  const Tensor logits = logits_.rows(0, rows);
  const Tensor logits_gradient = table_gradient ? logits_gradient_.rows(0, rows) : Tensor();
  kernels::linear_forward(queue, output, table, parameters_.weight(vocabulary_bias_), logits);
  if (sampling != nullptr) {
    kernels::sample_tokens(queue, logits, batch.selected_rows.rows(first, rows), first, batch.selected,
                           sampling->excluded, sampling->draws, sampling->tokens.rows(first, rows));
    kernels::add_label_ranks(queue, logits, labels, first, batch.selected, sampling->rank_sum);
  }
  kernels::softmax_cross_entropy(queue, logits, labels, first, batch.selected, batch.weight_mlm,
                                 losses_.rows(first, rows), correct_.rows(first, rows), logits_gradient);
  if (!table_gradient) return;
  kernels::linear_backward_input(queue, logits_gradient, table, output_gradient_.rows(first, rows));
  kernels::linear_backward_weight(queue, logits_gradient, output, table_gradient,
                                  parameters_.gradient(vocabulary_bias_));
}

}  // namespace tenfold

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

LanguageModelHead::LanguageModelHead(Parameters& parameters, const std::string& prefix, int width, float epsilon,
                                     ParameterView vocabulary_bias)
    : parameters_(parameters),
      width_(width),
      transform_(parameters, prefix, width, epsilon),
      vocabulary_bias_(vocabulary_bias) {}

void LanguageModelHead::allocate(Arena& arena, std::int64_t most_selected, DType type) {
  const std::int64_t r = most_selected;
  const std::int64_t v = vocabulary_bias_.shape[0];
  rows_ = HeadTransform::Rows(arena, r, width_, type);
  selected_ = arena.allocate(type, {r, width_});
  output_gradient_ = arena.allocate(type, {r, width_});
  losses_ = arena.allocate(DType::f32, {r});
  correct_ = arena.allocate(DType::i32, {r});
  logits_ = arena.allocate(DType::f32, {std::min(r, block_rows), v});
  logits_gradient_ = type == DType::f32 ? logits_ : arena.allocate(type, {std::min(r, block_rows), v});
}

void LanguageModelHead::forward(const Pass& pass, const SelectedRows& selected, const Tensor& hidden,
                                const Targets& targets, const TokenSampling* sampling) {
  Queue& queue = pass.queue;
  const std::int64_t r = selected.computed;
  for (const Tensor* each : {&losses_, &correct_}) queue.clear(each->rows(r, (*each)[0] - r));
  const Tensor gathered = selected_.rows(0, r);
  kernels::gather_rows(queue, hidden, selected.rows.rows(0, r), selected.count, gathered);
  transform_.forward(queue, gathered, rows_.first(r));
  for (std::int64_t first = 0; first < r; first += block_rows)
    score_block(pass, selected, first, std::min(block_rows, r - first), targets, sampling);
}

void LanguageModelHead::backward(const Pass& pass, const SelectedRows& selected, const Tensor& gradient) {
  const std::int64_t r = selected.computed;
  const HeadTransform::Rows rows = rows_.first(r);
  // What the transform kept of its activation is used up by its backward pass and then takes the gathered rows'
  // gradient.
  transform_.backward(pass.queue, selected_.rows(0, r), rows, output_gradient_.rows(0, r), rows.activated);
  kernels::scatter_rows(pass.queue, rows.activated, selected.rows.rows(0, r), selected.count, gradient);
}

void LanguageModelHead::score_block(const Pass& pass, const SelectedRows& selected, std::int64_t first,
                                    std::int64_t count, const Targets& targets, const TokenSampling* sampling) {
  Queue& queue = pass.queue;
  const Tensor output = rows_.output.rows(first, count);
  const Tensor labels = selected.labels.rows(first, count);
  const Tensor logits = logits_.rows(0, count);
  const Tensor logits_gradient = pass.training ? logits_gradient_.rows(0, count) : Tensor();
  kernels::linear_forward(queue, output, targets.table, parameters_.weight(vocabulary_bias_), logits);
  if (sampling != nullptr) {
    kernels::sample_tokens(queue, logits, selected.rows.rows(first, count), first, selected.count, sampling->excluded,
                           sampling->draws, sampling->tokens.rows(first, count));
    kernels::add_label_ranks(queue, logits, labels, first, selected.count, sampling->rank_sum);
  }
  kernels::softmax_cross_entropy(queue, logits, labels, first, selected.count, targets.weight,
                                 losses_.rows(first, count), correct_.rows(first, count), logits_gradient);
  if (!pass.training) return;
  kernels::linear_backward_input(queue, logits_gradient, targets.table, output_gradient_.rows(first, count), false);
  kernels::linear_backward_weight(queue, logits_gradient, output, targets.table_gradient,
                                  parameters_.gradient(vocabulary_bias_));
}

}  // namespace tenfold

#pragma once
// The small masked-LM network beside the main model: ELECTRA's generator, MC-BERT's meta controller. Same depth,
// divided widths, own positions, layers and head; it shares the main model's token table E through one Linear A that
// stands at its input and makes its output matrix:
//
//   X0 = dropout(LN(A E[x] + P)),  logits = LN(gelu(h W^T + b)) (A E)^T + b_v

#include "model/encoder.hpp"
#include "model/language_model_head.hpp"
#include "objectives/objective.hpp"

namespace tenfold {

class Generator {
 public:
  /// `name`: "generator" or "controller". `vocabulary_bias`: shared with the main model, or absent for one of its own.
  Generator(const Settings& settings, const std::string& name, const Vocabulary& vocabulary, ParameterView tokens,
            ParameterView vocabulary_bias, Parameters& parameters);
  void allocate(Arena& arena, const BatchBudget& budget, DType type);
  void prepare(Queue& queue);

  void begin_step(Queue& queue, const Counts& counts);
  /// Runs on the masked tokens, adds masked-LM statistics, draws a token for every selected row.
  void forward(const Pass& pass, const SelectedRows& selected);
  void backward(const Pass& pass, const SelectedRows& selected);

  const Tensor& hidden() const { return hidden_; }          ///< [n, dg]
  const Tensor& table() const { return table_; }            ///< A E, [V, dg]
  const Tensor& drawn() const { return sampling_.tokens; }  ///< i32 [R]
  const Tensor& excluded() const { return sampling_.excluded; }
  const LanguageModelHead& head() const { return head_; }
  int width() const { return shape_.width; }

  /// Loss, correct predictions, rank of the truth; f64 [3].
  Tensor sums() const { return sums_; }
  static constexpr std::int64_t sum_count = 3;
  void set_sums(const Tensor& sums) { sums_ = sums; }

  /// Matrix-product FLOPs of one forward over sequences, and of what every forward takes besides: A E, and positions.
  double forward_flops(const Counts& counts) const;
  double fixed_flops() const;

 private:
  Parameters& parameters_;
  EncoderShape shape_;
  ParameterView tokens_, projection_, projection_bias_;
  Encoder encoder_;
  ParameterView vocabulary_bias_;
  LanguageModelHead head_;
  TokenSampling sampling_;
  std::vector<std::int32_t> excluded_;
  Tensor hidden_, weight_, table_, table_gradient_, table_gradient_compute_, sums_;
};

}  // namespace tenfold

#pragma once
// Masked language modelling (Devlin et al. 2019): cross entropy of the selected tokens,
//
//   L = (1 / selected) * sum over selected i of -log softmax(logits_i)[x_i]

#include "model/language_model_head.hpp"
#include "objectives/objective.hpp"

namespace tenfold {

class MaskedLanguageModel : public Objective {
 public:
  MaskedLanguageModel(const Settings& settings, const Vocabulary& vocabulary, Parameters& parameters);

  void allocate(Arena& arena, const BatchBudget& budget, DType type) override;
  void prepare(Queue& queue) override { encoder_.prepare(queue); }
  void begin_step(Queue& queue, const StepStart& step) override;
  Tensor forward(Queue& queue, const MaskedBatch& batch, bool training) override;
  void backward(Queue& queue, const MaskedBatch& batch) override;
  Tensor sums() const override { return sums_; }
  std::vector<std::string> metric_names() const override { return {"loss", "accuracy"}; }
  void metrics(std::span<const double> sums, const Counts& counts, std::span<double> values) const override;
  Tensor masked_losses() const override { return head_.losses(); }
  double training_flops(const Counts& counts, double progress) const override;
  double fixed_flops() const override;

 private:
  Parameters& parameters_;
  EncoderShape shape_;
  ParameterView tokens_;
  Encoder encoder_;
  ParameterView vocabulary_bias_;
  LanguageModelHead head_;
  Tensor weight_;  ///< f32 [1], 1 / selected tokens of the whole step
  Tensor sums_;    ///< loss, correct predictions
};

}  // namespace tenfold

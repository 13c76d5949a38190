#pragma once
// Masked language modelling (Devlin et al. 2019): cross entropy of the selected tokens.

#include "model/language_model_head.hpp"
#include "objectives/objective.hpp"

namespace tenfold {

class MaskedLanguageModel : public Objective {
 public:
  MaskedLanguageModel(const Settings& settings, int vocabulary, Parameters& parameters);

  void allocate(Arena& arena, const BatchShape& batch, DType type) override;
  void prepare(Queue& queue) override { encoder_.prepare(queue); }
  void train(const Pass& pass) override;
  void evaluate(const Pass& pass) override;
  Tensor sums() const override { return sums_; }
  std::vector<std::string> metric_names() const override { return {"loss", "accuracy"}; }
  void metrics(std::span<const double> sums, const Counts& counts, std::span<double> values) const override;
  Tensor masked_losses() const override { return head_.losses(); }
  double training_flops(const Counts& counts, double progress) const override;
  double fixed_flops() const override;

 private:
  void add_statistics(Queue& queue);

  const Parameters& parameters_;
  EncoderShape shape_;
  ParameterView tokens_;
  Encoder encoder_;
  ParameterView vocabulary_bias_;
  LanguageModelHead head_;
  Tensor sums_;  ///< loss, correct predictions
};

}  // namespace tenfold

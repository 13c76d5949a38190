#pragma once
// ELECTRA (Clark et al. 2020): a generator fills the masks, the main model tells for every real token whether it was
// replaced. No gradient flows through the draws.
//
//   L = L_MLM(generator) + weight * (1 / tokens) * sum over tokens i of BCE(w . gelu(h_i W^T + b) + c, replaced_i)

#include "objectives/generator.hpp"

namespace tenfold {

class ReplacedTokenDetection : public Objective {
 public:
  ReplacedTokenDetection(const Settings& settings, const Vocabulary& vocabulary, Parameters& parameters);

  void allocate(Arena& arena, const BatchBudget& budget, DType type) override;
  void prepare(Queue& queue) override;
  void begin_step(Queue& queue, const StepStart& step) override;
  Tensor forward(Queue& queue, const MaskedBatch& batch, bool training) override;
  void backward(Queue& queue, const MaskedBatch& batch) override;
  Tensor sums() const override { return sums_; }
  Tensor masked_losses() const override { return generator_.head().losses(); }
  std::vector<std::pair<std::string, Tensor>> draws() const override { return {{"corrupted", tokens_corrupted_}}; }
  std::vector<std::string> metric_names() const override;
  void metrics(std::span<const double> sums, const Counts& counts, std::span<double> values) const override;
  double training_flops(const Counts& counts, double progress) const override;
  double fixed_flops() const override;

 private:
  void detect(const Pass& pass, const Tensor& hidden);

  Parameters& parameters_;
  EncoderShape shape_;
  double loss_weight_;
  ParameterView tokens_;
  Generator generator_;
  Encoder encoder_;
  ParameterView dense_weight_, dense_bias_, output_weight_, output_bias_;
  EncoderInput corrupted_;
  Tensor tokens_corrupted_, replaced_, dense_, activated_, losses_, predicted_, activated_gradient_;
  Tensor hidden_, weight_;  ///< f32 [1], loss weight / tokens of the whole step
  Tensor sums_;             ///< generator's 3, detection loss, joint counts of (replaced, predicted)
};

}  // namespace tenfold

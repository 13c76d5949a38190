#pragma once
// ELECTRA (Clark et al. 2020): a generator fills the masks, the main model tells for every real token whether it was
// replaced. Loss = L_MLM(generator) + weight x L_detection; no gradient flows through the draws.

#include "objectives/generator.hpp"

namespace tenfold {

class ReplacedTokenDetection : public Objective {
 public:
  ReplacedTokenDetection(const Settings& settings, int vocabulary, Parameters& parameters);

  void allocate(Arena& arena, const BatchShape& batch, DType type) override;
  void prepare(Queue& queue) override;
  void train(const Pass& pass) override;
  void evaluate(const Pass& pass) override { forward(pass); }
  Tensor sums() const override { return sums_; }
  Tensor masked_losses() const override { return generator_.head().losses(); }
  std::vector<std::pair<std::string, Tensor>> draws() const override { return {{"corrupted", tokens_corrupted_}}; }
  std::vector<std::string> metric_names() const override;
  void metrics(std::span<const double> sums, const Counts& counts, std::span<double> values) const override;
  double training_flops(const Counts& counts, double progress) const override;
  double fixed_flops() const override;

 private:
  void forward(const Pass& pass);

  const Parameters& parameters_;
  EncoderShape shape_;
  double weight_;
  ParameterView tokens_;
  Generator generator_;
  Encoder encoder_;
  ParameterView dense_weight_, dense_bias_, output_weight_, output_bias_;
  Batch corrupted_;
  Tensor tokens_corrupted_, replaced_, dense_, activated_, losses_, predicted_, activated_gradient_;
  Tensor sums_;  ///< generator's 3, detection loss, joint counts of (replaced, predicted)
};

}  // namespace tenfold

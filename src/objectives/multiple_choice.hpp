#pragma once
// MC-BERT (Xu et al., arXiv 2006.05744): a meta controller fills the masks and sets, for every real position, a
// question with k answers: none of the above, wrong answers drawn from the controller, and the truth where the token
// was replaced. The main model answers. Loss = L_MLM(controller) + weight x L_choice; no gradient flows through the
// draws.

#include "kernels/draw_candidates.hpp"
#include "objectives/generator.hpp"

namespace tenfold {

class MultipleChoice : public Objective {
 public:
  MultipleChoice(const Settings& settings, int vocabulary, Parameters& parameters);

  void allocate(Arena& arena, const BatchShape& batch, DType type) override;
  void prepare(Queue& queue) override;
  void train(const Pass& pass) override;
  void evaluate(const Pass& pass) override { forward(pass); }
  Tensor sums() const override { return sums_; }
  Tensor masked_losses() const override { return controller_.head().losses(); }
  std::vector<std::pair<std::string, Tensor>> draws() const override {
    return {{"corrupted", tokens_corrupted_}, {"candidates", candidates_}, {"labels", labels_}};
  }
  std::vector<std::string> metric_names() const override;
  void metrics(std::span<const double> sums, const Counts& counts, std::span<double> values) const override;
  double training_flops(const Counts& counts, double progress) const override;
  double fixed_flops() const override;

 private:
  void ask(const Pass& pass);
  void forward(const Pass& pass);

  const Parameters& parameters_;
  EncoderShape shape_;
  ObjectiveSettings settings_;
  kernels::CandidateDraws draws_;
  ParameterView tokens_, vocabulary_bias_;
  Generator controller_;
  Encoder encoder_;
  HeadTransform transform_;
  HeadTransform::Rows rows_;             ///< of the main head, all positions
  HeadTransform::Rows controller_rows_;  ///< of the controller's head, all positions
  Batch corrupted_;
  Tensor tokens_corrupted_, replaced_, negatives_, candidates_, labels_, choice_, losses_, output_gradient_, workspace_;
  Tensor sums_;  ///< controller's 3, choice loss, joint counts of (replaced, choice)
};

}  // namespace tenfold

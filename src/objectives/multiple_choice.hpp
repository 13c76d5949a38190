#pragma once
// MC-BERT (Xu et al., arXiv 2006.05744): a meta controller fills the masks and sets, for every real position, a
// question with k answers: none of the above, wrong answers drawn from the controller, and the truth where the token
// was replaced. The main model answers. No gradient flows through the draws.
//
//   L = L_MLM(controller) + weight * (1 / tokens) * sum over tokens i of -log softmax over the k answers c of
//       (t_i . E[c] + b_c), at the right one,  t = LN(gelu(h W^T + b))

#include "kernels/draw_candidates.hpp"
#include "objectives/generator.hpp"

namespace tenfold {

class MultipleChoice : public Objective {
 public:
  MultipleChoice(const Settings& settings, const Vocabulary& vocabulary, Parameters& parameters);

  void allocate(Arena& arena, const BatchBudget& budget, DType type) override;
  void prepare(Queue& queue) override;
  void begin_step(Queue& queue, const StepStart& step) override;
  Tensor forward(Queue& queue, const MaskedBatch& batch, bool training) override;
  void backward(Queue& queue, const MaskedBatch& batch) override;
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
  void ask(const Pass& pass, const MaskedBatch& batch);
  void answer(const Pass& pass, const Tensor& hidden);

  Parameters& parameters_;
  EncoderShape shape_;
  ObjectiveSettings settings_;
  kernels::CandidateDraws draws_;
  ParameterView tokens_, vocabulary_bias_;
  Generator controller_;
  Encoder encoder_;
  HeadTransform transform_;
  HeadTransform::Rows rows_;             ///< of the main head, all positions
  HeadTransform::Rows controller_rows_;  ///< of the controller's head, all positions
  EncoderInput corrupted_;
  std::int32_t none_of_the_above_;
  Tensor weight_, used_candidates_, used_negatives_, temperature_;  ///< of the step: f32 [1], i32 [1], i32 [1], f32 [1]
  Tensor hidden_;
  Tensor tokens_corrupted_, replaced_, negatives_, candidates_, labels_, choice_, losses_, output_gradient_, workspace_;
  Tensor sums_;  ///< controller's 3, choice loss, joint counts of (replaced, choice)
};

}  // namespace tenfold

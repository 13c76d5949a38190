#include "objectives/replaced_token_detection.hpp"

#include "kernels/elementwise.hpp"
#include "kernels/gelu.hpp"
#include "kernels/linear.hpp"
#include "kernels/replaced_tokens.hpp"
#include "kernels/statistics.hpp"

namespace tenfold {

namespace {
constexpr std::int64_t detection_sum = Generator::sum_count;
constexpr std::int64_t joint_sums = detection_sum + 1;
constexpr std::int64_t sum_count = joint_sums + 6;
}  // namespace

ReplacedTokenDetection::ReplacedTokenDetection(const Settings& settings, const Vocabulary& vocabulary,
                                               Parameters& parameters)
    : parameters_(parameters),
      shape_(encoder_shape(settings.model)),
      loss_weight_(*settings.objective.loss_weight),
      tokens_(parameters.add("embeddings.token.weight", {vocabulary.size, shape_.width}, Initial::token_table,
                             Storage::compute, TensorSplit::rows)),
      generator_(settings, "generator", vocabulary, tokens_, {}, parameters),
      encoder_(parameters, "", {tokens_}, shape_, position_shape(settings.model, settings.data.sequence_length),
               settings.run.seed) {
  const std::int64_t d = shape_.width;
  dense_weight_ = parameters.add("discriminator.dense.weight", {d, d}, Initial::normal, Storage::compute);
  dense_bias_ = parameters.add("discriminator.dense.bias", {d}, Initial::zero, Storage::master);
  output_weight_ = parameters.add("discriminator.output.weight", {d}, Initial::normal, Storage::master);
  output_bias_ = parameters.add("discriminator.output.bias", {1}, Initial::zero, Storage::master);
}

void ReplacedTokenDetection::allocate(Arena& arena, const BatchBudget& budget, DType type) {
  const std::int64_t n = budget.rows;
  generator_.allocate(arena, budget, type);
  encoder_.allocate(arena, budget, type);
  for (Tensor* rows : {&dense_, &activated_, &activated_gradient_}) *rows = arena.allocate(type, {n, shape_.width});
  for (Tensor* integers : {&tokens_corrupted_, &replaced_, &predicted_}) *integers = arena.allocate(DType::i32, {n});
  losses_ = arena.allocate(DType::f32, {n});
  weight_ = arena.allocate(DType::f32, {1});
  sums_ = arena.allocate(DType::f64, {sum_count});
  generator_.set_sums(sums_.rows(0, Generator::sum_count));
}

void ReplacedTokenDetection::prepare(Queue& queue) {
  generator_.prepare(queue);
  encoder_.prepare(queue);
}

void ReplacedTokenDetection::begin_step(Queue& queue, const StepStart& step) {
  generator_.begin_step(queue, step.counts);
  const auto weight = static_cast<float>(loss_weight_ / step.counts.tokens);
  queue.copy_in(&weight, weight_);
  queue.clear(sums_);
}

Tensor ReplacedTokenDetection::forward(Queue& queue, const MaskedBatch& batch, bool training) {
  const Pass masked{queue, batch.input, training};
  generator_.forward(masked, batch.selected);
  kernels::corrupt_tokens(queue, masked.rows(batch.original), batch.selected.rows, generator_.drawn(),
                          batch.selected.count, masked.rows(tokens_corrupted_), masked.rows(replaced_));
  corrupted_ = batch.input;
  corrupted_.tokens = tokens_corrupted_;
  const Pass main{queue, corrupted_, training};
  const Tensor hidden = encoder_.forward(main);
  detect(main, hidden);
  return hidden;
}

void ReplacedTokenDetection::detect(const Pass& pass, const Tensor& hidden) {
  Queue& queue = pass.queue;
  const auto wanted = [&](const Tensor& gradient) { return pass.training ? gradient : Tensor(); };
  const Tensor dense = pass.rows(dense_), activated = pass.rows(activated_), losses = pass.rows(losses_);
  const Tensor replaced = pass.rows(replaced_), predicted = pass.rows(predicted_);
  kernels::linear_forward(queue, hidden, parameters_.weight(dense_weight_), parameters_.weight(dense_bias_), dense);
  kernels::gelu_forward(queue, dense, activated, dense);
  kernels::replaced_token_loss(queue, activated, corrupted_.rows, parameters_.weight(output_weight_),
                               parameters_.weight(output_bias_), replaced, weight_, losses, predicted,
                               wanted(pass.rows(activated_gradient_)), wanted(parameters_.gradient(output_weight_)),
                               wanted(parameters_.gradient(output_bias_)));
  kernels::add_sum(queue, losses, sums_.rows(detection_sum, 1));
  kernels::add_joint_counts(queue, replaced, predicted, sums_.rows(joint_sums, 6));
  hidden_ = hidden;
}

void ReplacedTokenDetection::backward(Queue& queue, const MaskedBatch& batch) {
  const Pass main{queue, corrupted_};
  const Tensor gradient = main.rows(activated_gradient_);
  kernels::gelu_backward(queue, gradient, main.rows(dense_), gradient);
  kernels::linear_backward_weight(queue, gradient, hidden_, parameters_.gradient(dense_weight_),
                                  parameters_.gradient(dense_bias_));
  kernels::linear_backward_input(queue, gradient, parameters_.weight(dense_weight_), encoder_.gradient(main), false);
  parameters_.complete(dense_weight_);
  encoder_.backward(main);
  generator_.backward({queue, batch.input}, batch.selected);
}

std::vector<std::string> ReplacedTokenDetection::metric_names() const {
  return {"loss",
          "loss_mlm",
          "loss_discriminator",
          "accuracy",
          "truth_rank",
          "replaced_share",
          "discriminator_accuracy",
          "discriminator_precision",
          "discriminator_recall"};
}

void ReplacedTokenDetection::metrics(std::span<const double> sums, const Counts& counts,
                                     std::span<double> values) const {
  const std::span<const double> joint = sums.subspan(joint_sums);  // [replaced][predicted], padding among (0, 0)
  const double hits = joint[4];
  const double predicted = joint[1] + joint[4];
  const double replaced = joint[3] + joint[4];
  const double mlm = sums[0] / counts.selected_divisor();
  const double detection = sums[detection_sum] / counts.tokens;
  const std::array<double, 9> all = {mlm + loss_weight_ * detection,
                                     mlm,
                                     detection,
                                     sums[1] / counts.selected_divisor(),
                                     sums[2] / counts.selected_divisor(),
                                     replaced / counts.tokens,
                                     1.0 - (predicted + replaced - 2 * hits) / counts.tokens,
                                     predicted > 0 ? hits / predicted : 0.0,
                                     replaced > 0 ? hits / replaced : 0.0};
  std::copy(all.begin(), all.end(), values.begin());
}

double ReplacedTokenDetection::training_flops(const Counts& counts, double /*progress*/) const {
  const double d = shape_.width;
  return fixed_flops() +
         3.0 * (generator_.forward_flops(counts) + Encoder::forward_flops(shape_, counts.tokens, counts.squares) +
                2.0 * counts.tokens * (d * d + d));
}

double ReplacedTokenDetection::fixed_flops() const {
  return 3.0 * (generator_.fixed_flops() + encoder_.fixed_flops());
}

}  // namespace tenfold

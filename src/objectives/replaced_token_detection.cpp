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

ReplacedTokenDetection::ReplacedTokenDetection(const Settings& settings, int vocabulary, Parameters& parameters)
    : parameters_(parameters),
      shape_(encoder_shape(settings.model)),
      weight_(*settings.objective.loss_weight),
      tokens_(parameters.add("embeddings.token.weight", {vocabulary, shape_.width}, Initial::token_table,
                             Storage::compute)),
      generator_(settings, "generator", tokens_, {}, parameters),
      encoder_(parameters, "", {tokens_}, shape_, position_shape(settings.model, settings.data.sequence_length),
               settings.run.seed) {
  const std::int64_t d = shape_.width;
  dense_weight_ = parameters.add("discriminator.dense.weight", {d, d}, Initial::normal, Storage::compute);
  dense_bias_ = parameters.add("discriminator.dense.bias", {d}, Initial::zero, Storage::master);
  output_weight_ = parameters.add("discriminator.output.weight", {d}, Initial::normal, Storage::master);
  output_bias_ = parameters.add("discriminator.output.bias", {1}, Initial::zero, Storage::master);
}

void ReplacedTokenDetection::allocate(Arena& arena, const BatchShape& batch, DType type) {
  const std::int64_t n = batch.rows();
  generator_.allocate(arena, batch, type);
  encoder_.allocate(arena, batch, type);
  for (Tensor* rows : {&dense_, &activated_, &activated_gradient_}) *rows = arena.allocate(type, {n, shape_.width});
  for (Tensor* integers : {&tokens_corrupted_, &replaced_, &predicted_}) *integers = arena.allocate(DType::i32, {n});
  losses_ = arena.allocate(DType::f32, {n});
  sums_ = arena.allocate(DType::f64, {sum_count});
  generator_.set_sums(sums_.rows(0, Generator::sum_count));
}

void ReplacedTokenDetection::prepare(Queue& queue) {
  generator_.prepare(queue);
  encoder_.prepare(queue);
}

void ReplacedTokenDetection::forward(const Pass& pass) {
  Queue& queue = pass.queue;
  const Batch& batch = pass.batch;
  const auto grad = [&](const ParameterView& view) { return pass.training ? parameters_.gradient(view) : Tensor(); };
  generator_.forward(pass);
  kernels::corrupt_tokens(queue, batch.original, batch.selected_rows, generator_.drawn(), batch.selected,
                          tokens_corrupted_, replaced_);
  corrupted_ = batch;
  corrupted_.tokens = tokens_corrupted_;
  const Pass main{queue, corrupted_, pass.training, pass.ready, pass.pooled};
  const Tensor& hidden = encoder_.forward(main);
  main.take_notes(hidden);
  kernels::linear_forward(queue, hidden, parameters_.weight(dense_weight_), parameters_.weight(dense_bias_), dense_);
  kernels::gelu_forward(queue, dense_, activated_, dense_);
  kernels::replaced_token_loss(queue, activated_, parameters_.weight(output_weight_), parameters_.weight(output_bias_),
                               replaced_, batch.lengths, batch.weight_second, losses_, predicted_,
                               pass.training ? activated_gradient_ : Tensor(), grad(output_weight_),
                               grad(output_bias_));
  kernels::add_sum(queue, losses_, sums_.rows(detection_sum, 1));
  kernels::add_joint_counts(queue, replaced_, predicted_, sums_.rows(joint_sums, 6));
  if (!pass.training) return;
  kernels::gelu_backward(queue, activated_gradient_, dense_, activated_gradient_);
  kernels::linear_backward_weight(queue, activated_gradient_, hidden, grad(dense_weight_), grad(dense_bias_));
  kernels::linear_backward_input(queue, activated_gradient_, parameters_.weight(dense_weight_), encoder_.gradient());
}

void ReplacedTokenDetection::train(const Pass& pass) {
  forward(pass);
  pass.complete(dense_weight_.offset);
  encoder_.backward({pass.queue, corrupted_, true, pass.ready, pass.pooled});
  generator_.backward(pass);
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
  const std::array<double, 9> all = {mlm + weight_ * detection,
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

#include "objectives/multiple_choice.hpp"

#include <algorithm>

#include "base/random.hpp"
#include "base/special_tokens.hpp"
#include "kernels/candidates.hpp"
#include "kernels/elementwise.hpp"
#include "kernels/replaced_tokens.hpp"
#include "kernels/statistics.hpp"

namespace tenfold {

namespace {
constexpr std::int64_t choice_sum = Generator::sum_count;
constexpr std::int64_t joint_sums = choice_sum + 1;
constexpr std::int64_t sum_count = joint_sums + 6;
}  // namespace

MultipleChoice::MultipleChoice(const Settings& settings, int vocabulary, Parameters& parameters)
    : parameters_(parameters),
      shape_(encoder_shape(settings.model)),
      settings_(settings.objective),
      tokens_(parameters.add("embeddings.token.weight", {vocabulary, shape_.width}, Initial::token_table,
                             Storage::compute)),
      vocabulary_bias_(parameters.add("head.bias", {vocabulary}, Initial::zero, Storage::master)),
      controller_(settings, "controller", tokens_, vocabulary_bias_, parameters),
      encoder_(parameters, "", {tokens_}, shape_, position_shape(settings.model, settings.data.sequence_length),
               settings.run.seed),
      transform_(parameters, "", shape_.width) {
  draws_.draws.key = stream_key(settings.run.seed, "controller.candidates");
  draws_.draws.length = settings.data.sequence_length;
  draws_.with_replacement = settings_.sampling == Sampling::released;
}

void MultipleChoice::allocate(Arena& arena, const BatchShape& batch, DType type) {
  const std::int64_t n = batch.rows();
  const std::int64_t most = std::max(settings_.candidates, *settings_.candidates_end);
  controller_.allocate(arena, batch, type);
  encoder_.allocate(arena, batch, type);
  rows_ = HeadTransform::Rows(arena, n, shape_.width, type);
  controller_rows_ = HeadTransform::Rows(arena, n, controller_.width(), type);
  output_gradient_ = arena.allocate(type, {n, shape_.width});
  negatives_ = arena.allocate(DType::i32, {n, most - 1});
  candidates_ = arena.allocate(DType::i32, {n, most});
  for (Tensor* integers : {&tokens_corrupted_, &replaced_, &labels_, &choice_})
    *integers = arena.allocate(DType::i32, {n});
  losses_ = arena.allocate(DType::f32, {n});
  workspace_ =
      arena.allocate(DType::u8, {kernels::candidate_workspace_bytes(tokens_.shape[0], controller_.width(), type)});
  sums_ = arena.allocate(DType::f64, {sum_count});
  controller_.set_sums(sums_.rows(0, Generator::sum_count));
}

void MultipleChoice::prepare(Queue& queue) {
  controller_.prepare(queue);
  encoder_.prepare(queue);
}

void MultipleChoice::ask(const Pass& pass) {
  Queue& queue = pass.queue;
  const Batch& batch = pass.batch;
  controller_.forward(pass);
  kernels::corrupt_tokens(queue, batch.original, batch.selected_rows, controller_.drawn(), batch.selected,
                          tokens_corrupted_, replaced_);
  controller_.head().transform().forward(queue, controller_.hidden(), controller_rows_);
  draws_.draws.step = batch.step;
  draws_.draws.samples = batch.samples;
  kernels::draw_candidates(queue, controller_rows_.output, controller_.table(), parameters_.weight(vocabulary_bias_),
                           batch.original, batch.lengths, controller_.excluded(), draws_, batch.temperature,
                           batch.negatives, negatives_, workspace_);
  kernels::make_questions(queue, batch.original, replaced_, negatives_, batch.candidates, none_of_the_above_token,
                          candidates_, labels_);
}

void MultipleChoice::forward(const Pass& pass) {
  Queue& queue = pass.queue;
  ask(pass);
  corrupted_ = pass.batch;
  corrupted_.tokens = tokens_corrupted_;
  const Pass main{queue, corrupted_, pass.training, pass.ready, pass.pooled};
  const Tensor& hidden = encoder_.forward(main);
  main.take_notes(hidden);
  transform_.forward(queue, hidden, rows_);
  const auto wanted = [&](const Tensor& gradient) { return pass.training ? gradient : Tensor(); };
  kernels::candidate_loss(queue, rows_.output, parameters_.weight(tokens_), parameters_.weight(vocabulary_bias_),
                          candidates_, labels_, pass.batch.lengths, pass.batch.weight_second, losses_, choice_,
                          wanted(output_gradient_), wanted(parameters_.gradient(tokens_)),
                          wanted(parameters_.gradient(vocabulary_bias_)));
  kernels::add_sum(queue, losses_, sums_.rows(choice_sum, 1));
  kernels::add_joint_counts(queue, replaced_, choice_, sums_.rows(joint_sums, 6));
  if (pass.training) transform_.backward(queue, hidden, rows_, output_gradient_, encoder_.gradient());
}

void MultipleChoice::train(const Pass& pass) {
  forward(pass);
  pass.complete(transform_.first_parameter());
  encoder_.backward({pass.queue, corrupted_, true, pass.ready, pass.pooled});
  controller_.backward(pass);
}

std::vector<std::string> MultipleChoice::metric_names() const {
  return {"loss",           "loss_mlm",          "loss_choice",        "accuracy",  "truth_rank",
          "replaced_share", "accuracy_replaced", "accuracy_unchanged", "nota_share"};
}

void MultipleChoice::metrics(std::span<const double> sums, const Counts& counts, std::span<double> values) const {
  const std::span<const double> joint = sums.subspan(joint_sums);  // [replaced][min(choice, 2)], padding among (0, 0)
  const double replaced = joint[3] + joint[4] + joint[5];
  const double unchanged = counts.tokens - replaced;
  const double wrong_unchanged = joint[1] + joint[2];
  const double mlm = sums[0] / counts.selected_divisor();
  const double choice = sums[choice_sum] / counts.tokens;
  const std::array<double, 9> all = {mlm + *settings_.loss_weight * choice,
                                     mlm,
                                     choice,
                                     sums[1] / counts.selected_divisor(),
                                     sums[2] / counts.selected_divisor(),
                                     replaced / counts.tokens,
                                     replaced > 0 ? joint[4] / replaced : 0.0,
                                     unchanged > 0 ? 1.0 - wrong_unchanged / unchanged : 0.0,
                                     1.0 - (wrong_unchanged + joint[4] + joint[5]) / counts.tokens};
  std::copy(all.begin(), all.end(), values.begin());
}

double MultipleChoice::training_flops(const Counts& counts, double progress) const {
  const double d = shape_.width;
  const double dg = controller_.width();
  const double k = candidates_at(settings_, progress);
  const double asked = 2.0 * counts.tokens * (dg * dg + dg * static_cast<double>(tokens_.shape[0]));  // forward only
  return fixed_flops() + asked +
         3.0 * (controller_.forward_flops(counts) + Encoder::forward_flops(shape_, counts.tokens, counts.squares) +
                2.0 * counts.tokens * (d * d + k * d));
}

double MultipleChoice::fixed_flops() const {
  return 3.0 * (controller_.fixed_flops() + encoder_.fixed_flops());
}

}  // namespace tenfold

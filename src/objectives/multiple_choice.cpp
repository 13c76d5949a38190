#include "objectives/multiple_choice.hpp"

#include <algorithm>
#include <cmath>

#include "base/random.hpp"
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

MultipleChoice::MultipleChoice(const Settings& settings, const Vocabulary& vocabulary, Parameters& parameters)
    : parameters_(parameters),
      shape_(encoder_shape(settings.model)),
      settings_(settings.objective),
      tokens_(parameters.add("embeddings.token.weight", {vocabulary.size, shape_.width}, Initial::token_table,
                             Storage::compute, TensorSplit::rows)),
      vocabulary_bias_(
          parameters.add("head.bias", {vocabulary.size}, Initial::zero, Storage::master, TensorSplit::rows)),
      controller_(settings, "controller", vocabulary, tokens_, vocabulary_bias_, parameters),
      encoder_(parameters, "", {tokens_}, shape_, position_shape(settings.model, settings.data.sequence_length),
               settings.run.seed),
      transform_(parameters, "", shape_.width, shape_.layer_norm_epsilon),
      none_of_the_above_(vocabulary.special.none_of_the_above) {
  draws_.draws.key = stream_key(settings.run.seed, "controller.candidates");
  draws_.with_replacement = settings_.sampling == Sampling::released;
}

void MultipleChoice::allocate(Arena& arena, const BatchBudget& budget, DType type) {
  const std::int64_t n = budget.rows;
  const std::int64_t most = std::max(settings_.candidates, *settings_.candidates_end);
  controller_.allocate(arena, budget, type);
  encoder_.allocate(arena, budget, type);
  rows_ = HeadTransform::Rows(arena, n, shape_.width, type);
  controller_rows_ = HeadTransform::Rows(arena, n, controller_.width(), type);
  output_gradient_ = arena.allocate(type, {n, shape_.width});
  negatives_ = arena.allocate(DType::i32, {n, most - 1});
  candidates_ = arena.allocate(DType::i32, {n, most});
  for (Tensor* integers : {&tokens_corrupted_, &replaced_, &labels_, &choice_})
    *integers = arena.allocate(DType::i32, {n});
  losses_ = arena.allocate(DType::f32, {n});
  for (Tensor* scalar : {&weight_, &temperature_}) *scalar = arena.allocate(DType::f32, {1});
  for (Tensor* scalar : {&used_candidates_, &used_negatives_}) *scalar = arena.allocate(DType::i32, {1});
  workspace_ = arena.allocate(DType::u8, {kernels::candidate_workspace_bytes(arena.device().kind(), tokens_.shape[0],
                                                                             controller_.width(), type)});
  sums_ = arena.allocate(DType::f64, {sum_count});
  controller_.set_sums(sums_.rows(0, Generator::sum_count));
}

void MultipleChoice::prepare(Queue& queue) {
  controller_.prepare(queue);
  encoder_.prepare(queue);
}

void MultipleChoice::begin_step(Queue& queue, const StepStart& step) {
  controller_.begin_step(queue, step.counts);
  const auto weight = static_cast<float>(*settings_.loss_weight / step.counts.tokens);
  const std::int32_t candidates = candidates_at(settings_, step.progress);
  const std::int32_t negatives = candidates - 1;
  const auto temperature =
      static_cast<float>(std::lerp(settings_.temperature, *settings_.temperature_end, step.progress));
  queue.copy_in(&weight, weight_);
  queue.copy_in(&candidates, used_candidates_);
  queue.copy_in(&negatives, used_negatives_);
  queue.copy_in(&temperature, temperature_);
  queue.clear(sums_);
}

Tensor MultipleChoice::forward(Queue& queue, const MaskedBatch& batch, bool training) {
  ask({queue, batch.input, training}, batch);
  const Pass main{queue, corrupted_, training};
  hidden_ = encoder_.forward(main);
  answer(main, hidden_);
  return hidden_;
}

void MultipleChoice::ask(const Pass& pass, const MaskedBatch& batch) {
  Queue& queue = pass.queue;
  const Tensor original = pass.rows(batch.original), replaced = pass.rows(replaced_);
  const Tensor negatives = pass.rows(negatives_);
  controller_.forward(pass, batch.selected);
  kernels::corrupt_tokens(queue, original, batch.selected.rows, controller_.drawn(), batch.selected.count,
                          pass.rows(tokens_corrupted_), replaced);
  const HeadTransform::Rows rows = controller_rows_.first(pass.input.computed);
  controller_.head().transform().forward(queue, controller_.hidden(), rows);
  draws_.draws.step = batch.input.step;
  draws_.draws.rows = batch.input.rows;
  kernels::draw_candidates(queue, rows.output, controller_.table(), parameters_.weight(vocabulary_bias_), original,
                           controller_.excluded(), draws_, temperature_, used_negatives_, negatives, workspace_);
  kernels::make_questions(queue, original, replaced, negatives, used_candidates_, none_of_the_above_,
                          pass.rows(candidates_), pass.rows(labels_));
  corrupted_ = batch.input;
  corrupted_.tokens = tokens_corrupted_;
}

void MultipleChoice::answer(const Pass& pass, const Tensor& hidden) {
  Queue& queue = pass.queue;
  const HeadTransform::Rows rows = rows_.first(pass.input.computed);
  const Tensor losses = pass.rows(losses_), choice = pass.rows(choice_);
  const auto wanted = [&](const Tensor& gradient) { return pass.training ? gradient : Tensor(); };
  transform_.forward(queue, hidden, rows);
  kernels::candidate_loss(queue, rows.output, pass.input.rows, parameters_.weight(tokens_),
                          parameters_.weight(vocabulary_bias_), pass.rows(candidates_), pass.rows(labels_), weight_,
                          losses, choice, wanted(pass.rows(output_gradient_)), wanted(parameters_.gradient(tokens_)),
                          wanted(parameters_.gradient(vocabulary_bias_)));
  kernels::add_sum(queue, losses, sums_.rows(choice_sum, 1));
  kernels::add_joint_counts(queue, pass.rows(replaced_), choice, sums_.rows(joint_sums, 6));
}

void MultipleChoice::backward(Queue& queue, const MaskedBatch& batch) {
  const Pass main{queue, corrupted_};
  transform_.backward(queue, hidden_, rows_.first(corrupted_.computed), main.rows(output_gradient_),
                      encoder_.gradient(main));
  encoder_.backward(main);
  controller_.backward({queue, batch.input}, batch.selected);
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

#include "training/learner.hpp"

#include <chrono>
#include <cmath>

#include "kernels/optimizer.hpp"

namespace tenfold {

namespace {
using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }
}  // namespace

DType compute_type(const Settings& settings) { return settings.precision == Precision::bf16 ? DType::bf16 : DType::f32; }

BatchShape batch_shape(const Settings& settings) {
  const std::int64_t sequences = settings.data.micro_batch.value();
  const std::int64_t length = settings.data.sequence_length;
  return {sequences, length, sequences * selected_capacity(settings.objective.mask_rate, length)};
}

Learner::Learner(const Settings& settings, int vocabulary, Arena& arena)
    : optimizer_(settings.optimizer),
      seed_(settings.run.seed),
      shape_(tenfold::batch_shape(settings)),
      objective_(make_objective(settings, vocabulary, parameters_)) {
  const DType compute = compute_type(settings);
  parameters_.allocate(arena, compute);
  objective_->allocate(arena, shape_, compute);
  batch_ = allocate_batch(arena, shape_);
  first_moment_ = arena.allocate(DType::f32, {parameters_.padded_size()});
  second_moment_ = arena.allocate(DType::f32, {parameters_.padded_size()});
  for (Tensor* scalar : {&learning_rate_, &correction_, &norm_}) *scalar = arena.allocate(DType::f32, {1});
}

void Learner::initialise(Queue& queue) {
  objective_->prepare(queue);
  parameters_.initialise(queue, seed_);
}

StepResult Learner::step(Queue& queue, Communicator& data, GradientReducer& reducer, std::span<const HostBatch> batches,
                         const Counts& counts, std::int64_t step, double learning_rate) {
  StepResult result;
  const auto start = Clock::now();
  const auto weight = static_cast<float>(1.0 / counts.selected);
  queue.copy_in(&step, batch_.step);
  queue.copy_in(&weight, batch_.weight_mlm);
  queue.clear(parameters_.gradients());
  queue.clear(objective_->sums());
  reducer.begin_step();
  forward_backward(queue, reducer, batches);
  result.seconds_compute = seconds_since(start);

  const auto exchange = Clock::now();
  reducer.finish();
  std::vector<double> sums(static_cast<std::size_t>(objective_->sums().elements()));
  queue.copy_out(objective_->sums(), sums.data());
  data.all_reduce_sum(std::span(sums));
  result.seconds_communication = seconds_since(exchange);

  const auto finish = Clock::now();
  result.metrics = objective_->metrics(sums, counts);
  kernels::global_norm(queue, parameters_.gradients(), norm_);
  float norm = 0;
  queue.copy_out(norm_, &norm);
  result.gradient_norm = norm;
  // The summed gradients and losses are the same on all ranks, and so is this decision.
  result.skipped = !std::isfinite(norm) || !std::isfinite(result.metrics.front());
  if (!result.skipped) update(queue, learning_rate);
  result.seconds_compute += seconds_since(finish);
  return result;
}

void Learner::forward_backward(Queue& queue, GradientReducer& reducer, std::span<const HostBatch> batches) {
  const GradientReady ready = [&](std::int64_t from) { reducer.ready(from); };
  for (std::size_t i = 0; i < batches.size(); ++i) {
    copy_in(queue, batches[i], batch_);
    objective_->train({queue, batch_, true, i + 1 == batches.size() ? &ready : nullptr});
  }
}

void Learner::update(Queue& queue, double learning_rate) {
  ++updates_;
  const auto t = static_cast<double>(updates_);
  const auto rate = static_cast<float>(learning_rate);
  const auto correction =
      static_cast<float>(std::sqrt(1.0 - std::pow(optimizer_.beta2, t)) / (1.0 - std::pow(optimizer_.beta1, t)));
  queue.copy_in(&rate, learning_rate_);
  queue.copy_in(&correction, correction_);
  const kernels::AdamW adamw{static_cast<float>(optimizer_.beta1), static_cast<float>(optimizer_.beta2),
                             static_cast<float>(optimizer_.epsilon), static_cast<float>(optimizer_.weight_decay),
                             static_cast<float>(optimizer_.clip_norm)};
  kernels::adamw(queue, adamw, {learning_rate_, correction_, norm_}, parameters_.gradients(), parameters_.masters(),
                 first_moment_, second_moment_);
  parameters_.refresh(queue);
}

void Learner::evaluate(Queue& queue, const HostBatch& batch, std::span<double> sums) {
  queue.clear(objective_->sums());
  copy_in(queue, batch, batch_);
  objective_->evaluate({queue, batch_, false, nullptr});
  std::vector<double> added(sums.size());
  queue.copy_out(objective_->sums(), added.data());
  for (std::size_t i = 0; i < sums.size(); ++i) sums[i] += added[i];
}

}  // namespace tenfold

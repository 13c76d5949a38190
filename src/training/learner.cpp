#include "training/learner.hpp"

#include <cmath>
#include <functional>

#include "base/clock.hpp"
#include "kernels/gather_rows.hpp"
#include "kernels/optimizer.hpp"

namespace tenfold {

double progress(const Settings& settings, std::int64_t step) {
  const std::int64_t last = settings.run.steps - 1;
  return step - 1 < last ? static_cast<double>(step - 1) / static_cast<double>(last) : 1.0;
}

DType compute_type(const Settings& settings) {
  return settings.precision == Precision::bf16 ? DType::bf16 : DType::f32;
}

BatchShape batch_shape(const Settings& settings) {
  const std::int64_t sequences = settings.data.micro_batch.value();
  const std::int64_t length = settings.data.sequence_length;
  return {sequences, length, sequences * selected_capacity(settings.objective.mask_rate, length)};
}

Learner::Learner(const Settings& settings, int vocabulary, Arena& arena)
    : settings_(settings),
      shape_(tenfold::batch_shape(settings)),
      objective_(make_objective(settings, vocabulary, parameters_)) {
  const DType compute = compute_type(settings);
  parameters_.allocate(arena, compute);
  objective_->allocate(arena, shape_, compute);
  batch_ = allocate_batch(arena, shape_, settings.notes.enabled ? settings.model.width : 0);
  batch_.notes.mix = static_cast<float>(settings.notes.mix);
  batch_.notes.rescale = settings.notes.rescale;
  first_moment_ = arena.allocate(DType::f32, {parameters_.padded_size()});
  second_moment_ = arena.allocate(DType::f32, {parameters_.padded_size()});
  for (Tensor* scalar : {&learning_rate_, &correction_, &norm_}) *scalar = arena.allocate(DType::f32, {1});
  sums_.resize(static_cast<std::size_t>(objective_->sums().elements()));
  metrics_.resize(objective_->metric_names().size());
}

void Learner::initialise(Queue& queue) {
  objective_->prepare(queue);
  parameters_.initialise(queue, settings_.run.seed);
}

void Learner::prepare_step(Queue& queue, const Counts& counts, std::int64_t step, double progress) {
  const ObjectiveSettings& objective = settings_.objective;
  const auto weight_mlm = static_cast<float>(1.0 / counts.selected_divisor());
  const auto weight_second = static_cast<float>(*objective.loss_weight / counts.tokens);
  const std::int32_t candidates = candidates_at(objective, progress);
  const std::int32_t negatives = candidates - 1;
  const auto temperature = static_cast<float>(std::lerp(objective.temperature, *objective.temperature_end, progress));
  queue.copy_in(&step, batch_.step);
  queue.copy_in(&weight_mlm, batch_.weight_mlm);
  queue.copy_in(&weight_second, batch_.weight_second);
  queue.copy_in(&candidates, batch_.candidates);
  queue.copy_in(&negatives, batch_.negatives);
  queue.copy_in(&temperature, batch_.temperature);
  queue.clear(objective_->sums());
}

StepResult Learner::step(Queue& queue, Communicator& data, GradientReducer& reducer, NoteTaker* notes,
                         std::span<const HostBatch> batches, const Counts& counts, std::int64_t step,
                         double learning_rate) {
  StepResult result;
  const auto start = Clock::now();
  prepare_step(queue, counts, step, progress(settings_, step));
  queue.clear(parameters_.gradients());
  reducer.begin_step();
  forward_backward(queue, reducer, notes, batches, step);
  result.seconds_compute = seconds_since(start);

  const auto exchange = Clock::now();
  reducer.finish();
  queue.copy_out(objective_->sums(), sums_.data());
  data.all_reduce_sum(std::span(sums_));
  result.seconds_communication = seconds_since(exchange);

  const auto finish = Clock::now();
  objective_->metrics(sums_, counts, metrics_);
  result.metrics = metrics_;
  kernels::global_norm(queue, parameters_.gradients(), norm_);
  float norm = 0;
  queue.copy_out(norm_, &norm);
  result.gradient_norm = norm;
  // The summed gradients and losses are the same on all ranks, and so is this decision.
  result.skipped = !std::isfinite(norm) || !std::isfinite(metrics_.front());
  if (!result.skipped) update(queue, learning_rate);
  result.seconds_compute += seconds_since(finish);
  return result;
}

void Learner::take_batch(Queue& queue, const HostBatch& host, const Tensor& note_rows) {
  copy_in(queue, host, batch_);
  const NoteBatch& notes = batch_.notes;
  if (!notes) return;
  if (note_rows)
    kernels::gather_rows(queue, note_rows, notes.slots, notes.count, notes.vectors);
  else
    queue.clear(notes.count);
}

void Learner::forward_backward(Queue& queue, GradientReducer& reducer, NoteTaker* notes,
                               std::span<const HostBatch> batches, std::int64_t step) {
  const GradientReady ready = [&](std::int64_t from) { reducer.ready(from); };
  const Tensor rows = notes != nullptr ? notes->rows() : Tensor();
  for (std::size_t i = 0; i < batches.size(); ++i) {
    const bool last = i + 1 == batches.size();
    const auto take_notes = [&] {
      notes->collect(queue, batches[i].notes, batch_.notes);
      if (last) notes->contribute(step);
    };
    const NotesPooled pooled = std::cref(take_notes);  // by reference, so that nothing is allocated
    take_batch(queue, batches[i], rows);
    objective_->train({queue, batch_, true, last ? &ready : nullptr, &pooled});
  }
}

void Learner::update(Queue& queue, double learning_rate) {
  ++updates_;
  const auto t = static_cast<double>(updates_);
  const auto rate = static_cast<float>(learning_rate);
  const auto correction = static_cast<float>(std::sqrt(1.0 - std::pow(settings_.optimizer.beta2, t)) /
                                             (1.0 - std::pow(settings_.optimizer.beta1, t)));
  queue.copy_in(&rate, learning_rate_);
  queue.copy_in(&correction, correction_);
  const kernels::AdamW adamw{settings_.optimizer.beta1, settings_.optimizer.beta2, settings_.optimizer.epsilon,
                             settings_.optimizer.weight_decay, settings_.optimizer.clip_norm};
  kernels::adamw(queue, adamw, {learning_rate_, correction_, norm_}, parameters_.gradients(), parameters_.masters(),
                 first_moment_, second_moment_);
  parameters_.refresh(queue);
}

void Learner::evaluate(Queue& queue, const HostBatch& batch, const Tensor& note_rows, std::span<double> sums,
                       std::span<float> masked_losses) {
  // Step 0 is never trained: its draws are the same at every validation. Questions are as hard as at the end of the
  // run.
  prepare_step(queue, {1, 1, 1, 1}, 0, 1.0);
  take_batch(queue, batch, note_rows);
  objective_->evaluate({queue, batch_, false, nullptr, nullptr});
  queue.copy_out(objective_->sums(), sums_.data());
  for (std::size_t i = 0; i < sums.size(); ++i) sums[i] += sums_[i];
  queue.copy_out(objective_->masked_losses(), masked_losses.data());
}

}  // namespace tenfold

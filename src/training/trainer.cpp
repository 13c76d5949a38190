#include "training/trainer.hpp"

#include "kernels/gather_rows.hpp"
#include "training/schedule.hpp"

namespace tenfold {

namespace {

/// Allocates what the objective declared.
Parameters& allocated(Parameters& parameters, Objective& objective, const Settings& settings, Arena& device) {
  const DType compute = compute_type(settings);
  parameters.allocate(device, compute);
  objective.allocate(device, batch_budget(settings), compute);
  return parameters;
}

std::optional<int> note_width(const Settings& settings) {
  return settings.notes.enabled ? std::optional(settings.model.width) : std::nullopt;
}

NoteStatistics sum_over_ranks(Communicator& data, const NoteStatistics& mine) {
  std::array<double, 5> sums = {static_cast<double>(mine.looked_up), static_cast<double>(mine.updated),
                                static_cast<double>(mine.dropped), static_cast<double>(mine.bytes), mine.age};
  data.all_reduce_sum(std::span<double>(sums));
  const auto whole = [&](int i) { return static_cast<std::int64_t>(sums[static_cast<std::size_t>(i)]); };
  return {whole(0), whole(1), whole(2), whole(3), sums[4], mine.seconds_waited};
}

}  // namespace

double progress(const Settings& settings, std::int64_t step) {
  const std::int64_t last = settings.run.steps - 1;
  return step - 1 < last ? static_cast<double>(step - 1) / static_cast<double>(last) : 1.0;
}

DType compute_type(const Settings& settings) {
  return settings.precision == Precision::bf16 ? DType::bf16 : DType::f32;
}

Trainer::Trainer(const Settings& settings, const TrainingText& text, Communicator& data, Progress& progress,
                 Queue& queue, Arena& device, Arena& host)
    : settings_(settings),
      data_(data),
      queue_(queue),
      objective_(make_objective(settings, text.vocabulary, parameters_)),
      batch_(batch_budget(settings), note_width(settings), device),
      optimizer_(settings.optimizer, allocated(parameters_, *objective_, settings, device), device),
      reducer_(data, queue, parameters_.gradients(), data.buckets()),
      pipeline_(text.sequences, settings, text.vocabulary, settings.notes.enabled, data.rank(), data.size(), host),
      pad_(text.vocabulary.special.pad) {
  batch_.masked.input.notes.mix = static_cast<float>(settings.notes.mix);
  batch_.masked.input.notes.rescale = settings.notes.rescale;
  if (settings.notes.enabled)
    notes_ = std::make_unique<NoteTaker>(data, settings, text.rare_words, pipeline_.capacity(), host, device);
  sums_.resize(static_cast<std::size_t>(objective_->sums().elements()));
  metrics_.resize(objective_->metric_names().size());
  queue_.observe([this, &progress](const char* label) {
    progress.region(label);
    poll();
  });
}

void Trainer::initialise() {
  objective_->prepare(queue_);
  parameters_.initialise(queue_, settings_.run.seed, pad_);
  if (notes_) notes_->dictionary().initialise(settings_.run.seed);
}

void Trainer::poll() {
  if (reducing_) reducer_.ready(parameters_.complete_from());
  reducer_.poll();
  if (notes_) notes_->dictionary().poll();
}

void Trainer::start(std::int64_t step) {
  step_ = step - 1;
  pipeline_.start(step);
  if (!notes_) return;
  notes_->request(pipeline_.next());
  notes_->open(step - 1);
}

void Trainer::take_batches(bool last) {
  start_ = Clock::now();
  taken_ = {};
  taken_.step = ++step_;
  if (notes_) notes_->receive(queue_);
  pipeline_.advance(last);
  if (notes_) notes_->request(pipeline_.next());
  taken_.seconds_data = seconds_since(start_);
  const auto exchange = Clock::now();
  taken_.counts = all_reduce(data_, pipeline_.counts());
  taken_.seconds_communication = seconds_since(exchange);
  taken_.learning_rate = learning_rate(settings_.optimizer, step_, settings_.run.steps);
  taken_.flops = objective_->training_flops(taken_.counts, progress(settings_, step_));
}

StepResult Trainer::train_step() {
  StepResult result = taken_;
  const auto compute = Clock::now();
  objective_->begin_step(queue_, {result.counts, progress(settings_, result.step)});
  forward_backward(result.step);
  result.seconds_compute = seconds_since(compute);
  reduce(result);

  const auto finish = Clock::now();
  objective_->metrics(sums_, result.counts, metrics_);
  result.metrics = metrics_;
  optimizer_.judge(queue_, objective_->sums());
  optimizer_.update(queue_, parameters_.share(0, 1), result.learning_rate);
  parameters_.refresh(queue_);
  const Optimizer::Judgement judgement = optimizer_.judgement(queue_);
  result.gradient_norm = judgement.gradient_norm;
  result.skipped = judgement.skipped;
  result.seconds_compute += seconds_since(finish);
  if (notes_) result.notes = sum_over_ranks(data_, notes_->dictionary().take_statistics());
  result.seconds = seconds_since(start_);
  return result;
}

void Trainer::reduce(StepResult& result) {
  const auto exchange = Clock::now();
  reducer_.finish();
  data_.wait(data_.start_all_reduce_sum(queue_, objective_->sums()));
  queue_.copy_out(objective_->sums(), sums_.data());
  result.seconds_communication += seconds_since(exchange);
}

void Trainer::take_in(const HostBatch& host, const Tensor& note_rows) {
  batch_.copy_in(queue_, host);
  const NoteInput& notes = batch_.masked.input.notes;
  if (!notes) return;
  if (note_rows)
    kernels::gather_rows(queue_, note_rows, batch_.note_slots, notes.count, notes.vectors);
  else
    queue_.clear(notes.count);
}

void Trainer::forward_backward(std::int64_t step) {
  queue_.clear(parameters_.gradients());
  reducer_.begin_step();
  const std::span<const HostBatch> batches = pipeline_.present();
  for (std::size_t i = 0; i < batches.size(); ++i) {
    const bool last = i + 1 == batches.size();
    take_in(batches[i], notes_ ? notes_->rows() : Tensor());
    const Tensor hidden = objective_->forward(queue_, batch_.masked, true);
    if (notes_) notes_->collect(queue_, hidden, batches[i], batch_);
    if (notes_ && last) notes_->contribute(step);
    parameters_.begin_backward();
    reducing_ = last;
    objective_->backward(queue_, batch_.masked);
  }
  reducing_ = false;
}

void Trainer::evaluate(HostBatch& batch, bool with_notes, std::span<double> sums, std::span<float> masked_losses) {
  // Step 0 is never trained: its draws are the same at every validation. Questions are as hard as at the end of the
  // run.
  const Tensor rows = with_notes && notes_ ? notes_->look_up(queue_, batch) : Tensor();
  if (batch.sequences == 0) return;
  batch.set_step(0);
  objective_->begin_step(queue_, {{1, 1, 1, 1}, 1.0});
  take_in(batch, rows);
  objective_->forward(queue_, batch_.masked, false);
  queue_.copy_out(objective_->sums(), sums_.data());
  for (std::size_t i = 0; i < sums.size(); ++i) sums[i] += sums_[i];
  queue_.copy_out(objective_->masked_losses(), masked_losses.data());
}

}  // namespace tenfold

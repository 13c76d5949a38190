#pragma once
// The learning part of a run, wired once: parameters and objective, batches, notes, reduction of gradients and
// optimizer. With planning arenas and a PlannedCommunicator it only says how much memory that would be.

#include <memory>

#include "base/clock.hpp"
#include "base/progress.hpp"
#include "data/batch_pipeline.hpp"
#include "objectives/objective.hpp"
#include "parallel/gradient_reducer.hpp"
#include "training/note_taker.hpp"
#include "training/optimizer.hpp"

namespace tenfold {

/// What is trained on.
struct TrainingText {
  const Sequences& sequences;
  Vocabulary vocabulary;
  std::int64_t rare_words = 0;  ///< keys of notes, in a run with notes
};

/// What an optimizer step came to.
struct StepResult {
  std::int64_t step = 0;
  double learning_rate = 0;
  Counts counts;                    ///< of all ranks
  std::span<const double> metrics;  ///< as objective().metric_names(); good until the next step
  double gradient_norm = 0;
  bool skipped = false;  ///< a loss or gradient was not finite on some rank: weights and moments are as before
  double flops = 0;      ///< of all ranks
  double seconds = 0, seconds_data = 0, seconds_compute = 0, seconds_communication = 0;
  double seconds_checkpoint = 0;  ///< spent since the step before, by who trains
  NoteStatistics notes;           ///< of all ranks, but the time waited is this rank's
};

class Trainer {
 public:
  /// `settings` must be resolved (config/configuration.hpp); `data`: the ranks that share a batch; `device`: memory of
  /// tensors; `host`: pinned memory of batches. From now on the queue's regions are told to `progress`, and outstanding
  /// communication advances where one begins. Collective.
  Trainer(const Settings& settings, const TrainingText& text, Communicator& data, Progress& progress, Queue& queue,
          Arena& device, Arena& host);
  ~Trainer() { queue_.observe({}); }
  Trainer(const Trainer&) = delete;
  Trainer& operator=(const Trainer&) = delete;

  /// Constant tables, initial weights and notes.
  void initialise();

  /// Makes `step` the next one. Collective.
  void start(std::int64_t step);
  /// Takes the micro-batches of the next step; those of the one after it are built, unless this is the `last`.
  /// Collective.
  void take_batches(bool last);
  std::span<HostBatch> batches() { return pipeline_.present(); }
  /// The optimizer step on the batches taken last. Collective.
  StepResult train_step();

  /// Adds the statistics of a micro-batch to `sums` and its masked-LM losses to `masked_losses` [R], without dropout or
  /// gradients. `with_notes`: as they are now; else as if there were none. Collective with notes.
  void evaluate(HostBatch& batch, bool with_notes, std::span<double> sums, std::span<float> masked_losses);

  Queue& queue() { return queue_; }
  Parameters& parameters() { return parameters_; }
  Optimizer& optimizer() { return optimizer_; }
  const Objective& objective() const { return *objective_; }
  const GradientReducer& reducer() const { return reducer_; }
  const DeviceBatch& batch() const { return batch_; }  ///< the last micro-batch
  NoteTaker* notes() { return notes_.get(); }          ///< null in a run without notes

 private:
  void poll();
  void take_in(const HostBatch& host, const Tensor& note_rows);
  void forward_backward(std::int64_t step);
  void reduce(StepResult& result);

  Settings settings_;
  Communicator& data_;
  Queue& queue_;
  Parameters parameters_;
  std::unique_ptr<Objective> objective_;
  DeviceBatch batch_;
  std::unique_ptr<NoteTaker> notes_;
  Optimizer optimizer_;
  GradientReducer reducer_;
  BatchPipeline pipeline_;
  std::int32_t pad_;
  std::int64_t step_ = 0;
  bool reducing_ = false;  ///< the last backward pass of a step runs
  StepResult taken_;       ///< what is known of the step whose batches were taken
  Clock::time_point start_;
  std::vector<double> sums_, metrics_;
};

/// How far a run is at a step (1 ... run.steps): 0 to 1.
double progress(const Settings& settings, std::int64_t step);

/// The type of activations and of the weights that products read.
DType compute_type(const Settings& settings);

}  // namespace tenfold

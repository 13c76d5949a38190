#pragma once
// The learning part of a run: parameters, objective, optimizer state and one device micro-batch, all taken from one
// arena. With a planning arena it only says how much that would be.

#include <memory>

#include "config/settings.hpp"
#include "objectives/objective.hpp"
#include "parallel/gradient_reducer.hpp"
#include "training/note_taker.hpp"

namespace tenfold {

struct StepResult {
  std::span<const double> metrics;  ///< as objective().metric_names(); good until the next step
  double gradient_norm = 0;
  bool skipped = false;  ///< a loss or gradient was not finite on some rank: weights and moments are as before
  double seconds_compute = 0;
  double seconds_communication = 0;
};

class Learner {
 public:
  /// `settings` must be resolved (config/configuration.hpp).
  Learner(const Settings& settings, int vocabulary, Arena& arena);
  Learner(const Learner&) = delete;
  Learner& operator=(const Learner&) = delete;

  /// Constant tables and initial weights.
  void initialise(Queue& queue);

  /// One optimizer step on this rank's micro-batches. `counts` are global: every loss is divided by them before the
  /// gradients are summed over `data` by `reducer` (which works on parameters().gradients()). `notes`: in a run with
  /// notes. Collective.
  StepResult step(Queue& queue, Communicator& data, GradientReducer& reducer, NoteTaker* notes,
                  std::span<const HostBatch> batches, const Counts& counts, std::int64_t step, double learning_rate);

  /// Adds the statistics of a micro-batch to `sums` and its masked-LM losses to `masked_losses` [R], without dropout or
  /// gradients. `note_rows`: of its rare words; absent: as if there were no notes.
  void evaluate(Queue& queue, const HostBatch& batch, const Tensor& note_rows, std::span<double> sums,
                std::span<float> masked_losses);

  const BatchShape& batch_shape() const { return shape_; }
  Parameters& parameters() { return parameters_; }
  const Objective& objective() const { return *objective_; }
  const Batch& batch() const { return batch_; }                   ///< the last micro-batch
  const Tensor& first_moment() const { return first_moment_; }    ///< f32 [padded_size]
  const Tensor& second_moment() const { return second_moment_; }  ///< f32 [padded_size]
  std::int64_t updates() const { return updates_; }               ///< optimizer updates applied: Adam's t
  void set_updates(std::int64_t updates) { updates_ = updates; }

 private:
  void prepare_step(Queue& queue, const Counts& counts, std::int64_t step, double progress);
  void take_batch(Queue& queue, const HostBatch& host, const Tensor& note_rows);
  void forward_backward(Queue& queue, GradientReducer& reducer, NoteTaker* notes, std::span<const HostBatch> batches,
                        std::int64_t step);
  void update(Queue& queue, double learning_rate);

  Settings settings_;
  BatchShape shape_;
  Parameters parameters_;
  std::unique_ptr<Objective> objective_;
  Batch batch_;
  Tensor first_moment_, second_moment_, learning_rate_, correction_, norm_;
  std::int64_t updates_ = 0;
  std::vector<double> sums_, metrics_;
};

/// How far a run is at a step (1 ... run.steps): 0 to 1.
double progress(const Settings& settings, std::int64_t step);

/// The type of activations and of the weights that products read.
DType compute_type(const Settings& settings);

/// Extents of a micro-batch under resolved settings.
BatchShape batch_shape(const Settings& settings);

}  // namespace tenfold

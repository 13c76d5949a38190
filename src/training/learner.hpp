#pragma once
// The learning part of a run: parameters, objective, optimizer state and one device micro-batch, all taken from one arena.
// With a planning arena it only says how much that would be.

#include <memory>

#include "config/settings.hpp"
#include "objectives/objective.hpp"
#include "parallel/gradient_reducer.hpp"
#include "training/batches.hpp"

namespace tenfold {

struct StepResult {
  std::vector<double> metrics;  ///< as objective().metric_names()
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
  /// After weights were restored from a checkpoint.
  void weights_changed(Queue& queue) { parameters_.refresh(queue); }

  /// One optimizer step on this rank's micro-batches. `counts` are global: every loss is divided by them before the gradients are
  /// summed over `data` by `reducer` (which works on parameters().gradients()). Collective.
  StepResult step(Queue& queue, Communicator& data, GradientReducer& reducer, std::span<const HostBatch> batches,
                  const Counts& counts, std::int64_t step, double learning_rate);

  /// Adds the statistics of a micro-batch to `sums` without dropout or gradients.
  void evaluate(Queue& queue, const HostBatch& batch, std::span<double> sums);

  const BatchShape& batch_shape() const { return shape_; }
  Parameters& parameters() { return parameters_; }
  const Objective& objective() const { return *objective_; }
  const Tensor& first_moment() const { return first_moment_; }    ///< f32 [padded_size]
  const Tensor& second_moment() const { return second_moment_; }  ///< f32 [padded_size]
  std::int64_t updates() const { return updates_; }               ///< optimizer updates applied: Adam's t
  void set_updates(std::int64_t updates) { updates_ = updates; }

 private:
  void forward_backward(Queue& queue, GradientReducer& reducer, std::span<const HostBatch> batches);
  void update(Queue& queue, double learning_rate);

  OptimizerSettings optimizer_;
  std::uint64_t seed_;
  BatchShape shape_;
  Parameters parameters_;
  std::unique_ptr<Objective> objective_;
  Batch batch_;
  Tensor first_moment_, second_moment_, learning_rate_, correction_, norm_;
  std::int64_t updates_ = 0;
};

/// The type of activations and of the weights that products read.
DType compute_type(const Settings& settings);

/// Extents of a micro-batch under resolved settings.
BatchShape batch_shape(const Settings& settings);

}  // namespace tenfold

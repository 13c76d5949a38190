#pragma once
// What is learned: an objective owns its networks and turns a micro-batch into losses and gradients. The trainer sees
// no more than this.

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/vocabulary.hpp"
#include "config/settings.hpp"
#include "model/encoder.hpp"
#include "model/masked_batch.hpp"

namespace tenfold {

/// What is known of an optimizer step before its first forward pass.
struct StepStart {
  Counts counts;        ///< of all ranks: losses are divided by them
  double progress = 0;  ///< of the run, in [0, 1]
};

class Objective {
 public:
  virtual ~Objective() = default;

  /// Memory for activations, after Parameters::allocate.
  virtual void allocate(Arena& arena, const BatchBudget& budget, DType type) = 0;
  /// Constant tables to the device; before the first pass.
  virtual void prepare(Queue& queue) = 0;

  /// Weights of the losses and what else holds for all micro-batches of a step; the sums begin anew.
  virtual void begin_step(Queue& queue, const StepStart& step) = 0;
  /// Adds the statistics of a micro-batch to sums(), and in training what gradients the losses give at once. Returns
  /// the main model's final hidden states, [n, d]; they stay until the next forward.
  virtual Tensor forward(Queue& queue, const MaskedBatch& batch, bool training) = 0;
  /// Adds the gradients of the micro-batch that went forward last, in training. Marks parameters as complete.
  virtual void backward(Queue& queue, const MaskedBatch& batch) = 0;

  /// Running sums on the device, f64; cleared by who reads them.
  virtual Tensor sums() const = 0;
  /// Names of the trace's columns that `metrics` gives; the first is "loss", the total that is minimised, in nats.
  virtual std::vector<std::string> metric_names() const = 0;
  /// Values of these columns from sums over all micro-batches and ranks.
  virtual void metrics(std::span<const double> sums, const Counts& counts, std::span<double> values) const = 0;
  /// Masked-LM losses of the last micro-batch's selected rows, f32 [R], nats.
  virtual Tensor masked_losses() const = 0;

  /// What the last micro-batch drew, by name, i32 [N, ...]: for a step dump.
  virtual std::vector<std::pair<std::string, Tensor>> draws() const { return {}; }

  /// Matrix-product FLOPs of training on sequences with these counts, 3 x forward, at `progress` of the run in [0, 1].
  /// What is fixed is counted once.
  virtual double training_flops(const Counts& counts, double progress) const = 0;
  /// Those that a micro-batch takes whatever its sequences: position scores, the projected token table.
  virtual double fixed_flops() const = 0;
};

/// Sizes of the main encoder.
EncoderShape encoder_shape(const ModelSettings& model);
PositionShape position_shape(const ModelSettings& model, int sequence_length);

/// Answers of a multiple-choice question at `progress` of the run in [0, 1].
std::int32_t candidates_at(const ObjectiveSettings& objective, double progress);

/// InputError if the settings ask for more than a vocabulary of that size has.
void expect_vocabulary(const ObjectiveSettings& objective, const Vocabulary& vocabulary);

/// The objective that the settings ask for; declares its parameters. InputError as expect_vocabulary.
std::unique_ptr<Objective> make_objective(const Settings& settings, const Vocabulary& vocabulary,
                                          Parameters& parameters);

}  // namespace tenfold

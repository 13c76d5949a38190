#pragma once
// What is learned: an objective owns its networks and turns a micro-batch into losses and gradients. The trainer sees
// no more than this.

#include <algorithm>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "config/settings.hpp"
#include "model/encoder.hpp"
#include "model/parameters.hpp"
#include "model/pass.hpp"

namespace tenfold {

/// Global counts of an optimizer step or of a validation, by which losses are divided and FLOPs are known.
struct Counts {
  double sequences = 0;
  double tokens = 0;    ///< real tokens, [CLS] included, padding excluded
  double squares = 0;   ///< sum of squared sequence lengths
  double selected = 0;  ///< tokens to be predicted

  /// What a mean over the selected tokens divides by: the mean over none, in a step of few tokens, is taken for 0.
  double selected_divisor() const { return std::max(selected, 1.0); }
};

class Objective {
 public:
  virtual ~Objective() = default;

  /// Memory for activations, after Parameters::allocate.
  virtual void allocate(Arena& arena, const BatchShape& batch, DType type) = 0;
  /// Constant tables to the device; before the first pass.
  virtual void prepare(Queue& queue) = 0;

  /// Adds the gradients of a micro-batch to the flat buffer and its statistics to sums().
  virtual void train(const Pass& pass) = 0;
  /// Adds the statistics only.
  virtual void evaluate(const Pass& pass) = 0;

  /// Running sums on the device, f64; cleared by who reads them.
  virtual Tensor sums() const = 0;
  /// Names of the trace's columns that `metrics` gives; the first is "loss", the total that is minimised, in nats.
  virtual std::vector<std::string> metric_names() const = 0;
  /// Values of these columns from sums over all micro-batches and ranks.
  virtual void metrics(std::span<const double> sums, const Counts& counts, std::span<double> values) const = 0;
  /// Masked-LM losses of the last micro-batch's selected rows, f32 [R], nats.
  virtual Tensor masked_losses() const = 0;

  /// What the last micro-batch drew, by name, i32: for a step dump.
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
void expect_vocabulary(const ObjectiveSettings& objective, int vocabulary);

/// The objective that the settings ask for; declares its parameters. InputError as expect_vocabulary.
std::unique_ptr<Objective> make_objective(const Settings& settings, int vocabulary, Parameters& parameters);

}  // namespace tenfold

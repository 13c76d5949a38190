#pragma once
// The optimizer of a run: moments, the number of updates, and what one update does. Norm, skip flag and count live in
// device memory, so that nothing waits for the host.

#include "config/settings.hpp"
#include "model/parameters.hpp"

namespace tenfold {

class Optimizer {
 public:
  Optimizer(const OptimizerSettings& settings, Parameters& parameters, Arena& device);

  /// Looks at the summed gradients and at the step's summed statistics (f64 [S]): their norm, and whether an update
  /// follows, which it does not where any of them is not finite.
  void judge(Queue& queue, const Tensor& sums);
  /// Changes the weights of a range of the flat buffers, unless the step was judged unfit.
  void update(Queue& queue, const Parameters::Share& range, double learning_rate);

  /// What judge() found. Waits for it.
  struct Judgement {
    double gradient_norm;
    bool skipped;
  };
  Judgement judgement(Queue& queue) const;

  const Tensor& first_moment() const { return first_moment_; }    ///< f32 [padded_size]
  const Tensor& second_moment() const { return second_moment_; }  ///< f32 [padded_size]
  /// Updates so far, Adam's t.
  std::int64_t updates(Queue& queue) const;
  void set_updates(Queue& queue, std::int64_t updates);

 private:
  OptimizerSettings settings_;
  Parameters& parameters_;
  Tensor first_moment_, second_moment_;
  Tensor learning_rate_, norm_, skipped_, updates_;
};

}  // namespace tenfold

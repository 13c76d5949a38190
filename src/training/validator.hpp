#pragma once
// Validation: the same sequences of the validation split with the same masks each time, whatever the run's seed and ranks.

#include "training/learner.hpp"

namespace tenfold {

class Validator {
 public:
  /// Takes the first min(wanted, sequences.count()) sequences of a fixed order; `rank` of `ranks` takes an equal part.
  Validator(const Sequences& sequences, const Settings& settings, int vocabulary, int rank, int ranks);

  struct Result {
    std::vector<double> metrics;  ///< as objective().metric_names()
    Counts counts;
  };
  /// Collective over `data`.
  Result run(Queue& queue, Communicator& data, Learner& learner);

 private:
  BatchShape shape_;
  BatchBuilder builder_;
  std::vector<Sample> samples_;
  HostBatch batch_;
};

}  // namespace tenfold

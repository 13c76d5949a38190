#pragma once
// One optimizer step written out for comparison with another program (io/FORMATS.md, "Step dump").

#include <string>

#include "io/hdf5.hpp"
#include "training/learner.hpp"

namespace tenfold {

class StepDump {
 public:
  /// Creates the file and writes what the step starts from: configuration, batch and weights.
  StepDump(const std::string& path, std::int64_t step, const std::string& configuration, const HostBatch& batch,
           const BatchShape& shape, Queue& queue, Learner& learner);
  /// Writes what the step drew and computed: loss and gradients, before clipping.
  void finish(const StepResult& result, Queue& queue, Learner& learner);

 private:
  void write_draws(Queue& queue, const Learner& learner);

  hdf5::File file_;
};

}  // namespace tenfold

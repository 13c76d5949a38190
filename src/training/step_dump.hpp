#pragma once
// One optimizer step written out for comparison with another program (io/FORMATS.md, "Step dump").

#include <string>

#include "io/step_dump.hpp"
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

  StepDumpFile file_;
};

}  // namespace tenfold

#pragma once
// One optimizer step written out for comparison with another program (io/FORMATS.md, "Step dump").

#include <string>

#include "io/step_dump.hpp"
#include "training/trainer.hpp"

namespace tenfold {

class StepDump {
 public:
  /// Creates the file and writes what the step starts from: configuration, its one micro-batch and weights. Sequences
  /// are written padded to `length` tokens, row t of sequence b as b * length + t.
  StepDump(const std::string& path, const std::string& configuration, std::int64_t step, std::int64_t length,
           Trainer& trainer);
  /// Writes what the step drew and computed: loss and gradients, before clipping.
  void finish(const StepResult& result);

 private:
  std::int64_t padded(std::int64_t row) const;
  /// [B * length, ...] of the rows [N, ...], `rest` elsewhere.
  std::vector<std::int32_t> pad(std::span<const std::int32_t> rows, std::int64_t width, std::int32_t rest) const;
  void write_batch();
  void write_draws();
  void write_notes();

  Trainer& trainer_;
  std::int64_t length_;
  std::vector<std::int32_t> offsets_;  ///< of the sequences in use, and their end
  StepDumpFile file_;
};

}  // namespace tenfold

#pragma once
// The micro-batches of one rank, step after step. Those of the next step are built before the present step runs, so
// that its notes can be asked for early.

#include "training/note_taker.hpp"

namespace tenfold {

class BatchPipeline {
 public:
  /// `settings` resolved; `notes` in a run with notes. `data` gives this rank's part.
  BatchPipeline(const Sequences& sequences, const Settings& settings, int vocabulary, const BatchShape& shape,
                const Communicator& data, NoteTaker* notes);

  /// Makes `step` the next one. Collective in a run with notes.
  void start(std::int64_t step);
  /// The micro-batches of the next step, with the rows of their notes at hand; those of the step after are built,
  /// unless this is the `last`. Collective in a run with notes.
  std::span<const HostBatch> advance(Queue& queue, bool last);
  /// What this rank's micro-batches of the present step hold.
  const Counts& counts() const { return counts_; }

 private:
  void build_next();

  SampleSchedule schedule_;
  BatchBuilder builder_;
  NoteTaker* notes_;
  std::size_t micro_batch_;
  std::int64_t next_step_ = 1;
  std::vector<Sample> samples_;
  std::vector<HostBatch> batches_, next_batches_;
  Counts counts_, next_counts_;
};

}  // namespace tenfold

#pragma once
// The micro-batches of one rank, step after step. Those of the next step are built before the present step runs, so
// that its notes can be asked for early.

#include "data/batches.hpp"

namespace tenfold {

class BatchPipeline {
 public:
  /// `settings` resolved; `rare_words`: in a run with notes. Rank `rank` of `ranks` data ranks.
  BatchPipeline(const Sequences& sequences, const Settings& settings, const Vocabulary& vocabulary, bool rare_words,
                int rank, int ranks, Arena& host);

  /// Builds `step`, which is the next.
  void start(std::int64_t step);
  /// The next step becomes the present one, and the one after it is built unless this is the `last`.
  void advance(bool last);

  std::span<HostBatch> present() { return {present_.batches.data(), present_.used}; }
  std::span<HostBatch> next() { return {next_.batches.data(), next_.used}; }
  /// What this rank's micro-batches of the present step hold.
  const Counts& counts() const { return present_.counts; }
  /// Most micro-batches that a step may have.
  std::size_t capacity() const { return capacity_; }

 private:
  struct Step {
    std::vector<HostBatch> batches;
    std::size_t used = 0;
    Counts counts;
  };
  void build(Step& step);

  SampleSchedule schedule_;
  BatchBuilder builder_;
  std::int64_t next_step_ = 1;
  std::size_t capacity_;
  std::vector<Sample> samples_;
  Step present_, next_;
};

}  // namespace tenfold

#pragma once
// Micro-batches of masked sequences. Which sequences form a step, and their masks, follow from the global sample index alone, never
// from the rank.

#include <vector>

#include "base/arena.hpp"
#include "base/queue.hpp"
#include "model/pass.hpp"
#include "objectives/objective.hpp"
#include "parallel/communicator.hpp"
#include "training/epoch_order.hpp"
#include "training/masking.hpp"
#include "training/sequences.hpp"

namespace tenfold {

/// A micro-batch in host memory, laid out as Batch is.
struct HostBatch {
  std::vector<std::int32_t> tokens, original, lengths, selected_rows, labels;
  std::vector<std::int64_t> samples;
  std::int32_t selected = 0;
  explicit HostBatch(const BatchShape& shape);
};

/// A sample of the global order: which sequence, and the stream its mask is drawn from.
struct Sample {
  std::int64_t index;     ///< global sample index, keys dropout
  std::int64_t sequence;
  std::uint32_t epoch;    ///< keys the mask, together with the sequence
};

/// Fills micro-batches from sequences.
class BatchBuilder {
 public:
  BatchBuilder(const Sequences& sequences, const ObjectiveSettings& objective, int vocabulary,
               const BatchShape& shape, std::uint64_t mask_key);

  /// Reads and masks the samples, at most shape.sequences of them; the rest of the batch is padding of length 1.
  void build(std::span<const Sample> samples, HostBatch& batch);

 private:
  const Sequences& sequences_;
  ObjectiveSettings objective_;
  int vocabulary_;
  BatchShape shape_;
  std::uint64_t mask_key_;
  std::vector<std::int32_t> selected_;
};

/// Adds what a micro-batch holds to the counts.
void count(const HostBatch& batch, std::size_t sequences, Counts& counts);

/// Sums of the counts of all ranks.
Counts all_reduce(Communicator& communicator, const Counts& counts);

/// Device memory for one micro-batch.
Batch allocate_batch(Arena& arena, const BatchShape& shape);
/// Copies a micro-batch to the device.
void copy_in(Queue& queue, const HostBatch& host, const Batch& batch);

/// The samples of the micro-batches of one rank, step by step: rank r of R takes the r-th of R equal parts of every global batch.
class SampleSchedule {
 public:
  SampleSchedule(std::int64_t sequences, std::uint64_t seed, int global_batch, int rank, int ranks);
  /// Samples of this rank for step >= 1, in order.
  void samples(std::int64_t step, std::vector<Sample>& out) const;
  /// Epochs done when `step` is done.
  double epochs(std::int64_t step) const;

 private:
  EpochOrder order_;
  std::int64_t sequences_;
  int global_batch_, rank_, ranks_;
};

}  // namespace tenfold

#pragma once
// Micro-batches of masked sequences. Which sequences form a step, and their masks, follow from the global sample index
// alone, never from the rank.

#include <vector>

#include "base/arena.hpp"
#include "base/queue.hpp"
#include "data/epoch_order.hpp"
#include "data/masking.hpp"
#include "data/sequences.hpp"
#include "model/pass.hpp"
#include "notes/note_dictionary.hpp"
#include "objectives/objective.hpp"
#include "parallel/communicator.hpp"

namespace tenfold {

/// Most rare-word occurrences of a micro-batch: they are words of two tokens at least.
std::int64_t note_capacity(const BatchShape& shape);

/// The rare words of a micro-batch in host memory, laid out as NoteBatch is.
struct HostNotes {
  std::vector<std::int32_t> begin, end, keys, slots;   ///< of occurrences that get a note
  std::vector<std::int32_t> window_begin, window_end;  ///< of occurrences that make one
  std::vector<NoteSource> sources;                     ///< of the same
};

/// Where a selected token stands with respect to rare words: the last of these that holds.
enum class Neighbourhood : std::uint8_t { no_rare_word, sequence_with_rare_word, within_window, of_rare_word };

/// A micro-batch in host memory, laid out as Batch is.
struct HostBatch {
  std::vector<std::int32_t> tokens, original, lengths, selected_rows, labels;
  std::vector<std::int64_t> samples;
  std::vector<Neighbourhood> neighbourhoods;  ///< of the selected rows, where rare words are looked at
  HostNotes notes;
  std::int32_t selected = 0;
  /// `rare_words`: with room for those of any text, so that building it allocates nothing.
  explicit HostBatch(const BatchShape& shape, bool rare_words = false);
};

/// Bytes of a HostBatch.
std::int64_t host_bytes(const BatchShape& shape, bool rare_words);

/// A sample of the global order: which sequence, and the stream its mask is drawn from.
struct Sample {
  std::int64_t index;  ///< global sample index, keys dropout
  std::int64_t sequence;
  std::uint32_t epoch;  ///< keys the mask, together with the sequence
};

/// Fills micro-batches from sequences.
class BatchBuilder {
 public:
  /// `rare_words`: whether to look at them (notes, or the splits of a validation).
  BatchBuilder(const Sequences& sequences, const Settings& settings, int vocabulary, const BatchShape& shape,
               std::uint64_t mask_key, bool rare_words);

  /// Reads and masks the samples, at most shape.sequences of them; the rest of the batch is padding of length 0.
  void build(std::span<const Sample> samples, HostBatch& batch);

 private:
  void find_rare_words(const Sample& sample, std::size_t b, std::size_t first_selected, HostBatch& batch);

  const Sequences& sequences_;
  ObjectiveSettings objective_;
  NotesSettings notes_;
  bool rare_words_;
  int vocabulary_;
  BatchShape shape_;
  std::uint64_t mask_key_;
  std::vector<std::int32_t> selected_;
  std::vector<RareOccurrence> words_;
};

/// Adds what a micro-batch holds to the counts.
void count(const HostBatch& batch, std::size_t sequences, Counts& counts);

/// Sums of the counts of all ranks.
Counts all_reduce(Communicator& communicator, const Counts& counts);

/// Device memory for one micro-batch; notes of `note_width`, 0: none.
Batch allocate_batch(Arena& arena, const BatchShape& shape, int note_width);
/// Copies a micro-batch to the device.
void copy_in(Queue& queue, const HostBatch& host, const Batch& batch);

/// The samples of the micro-batches of one rank, step by step: rank r of R takes the r-th of R equal parts of every
/// global batch.
class SampleSchedule {
 public:
  SampleSchedule(std::int64_t sequences, std::uint64_t seed, int global_batch, int rank, int ranks);
  /// Samples of this rank for step >= 1, in order.
  void samples(std::int64_t step, std::vector<Sample>& out) const;

 private:
  EpochOrder order_;
  std::int64_t sequences_;
  int global_batch_, rank_, ranks_;
};

}  // namespace tenfold

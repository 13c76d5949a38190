#pragma once
// Micro-batches of masked sequences: whole sequences, one after another, in a fixed budget of rows. Which sequences
// form a step, and their masks, follow from the global sample index alone, never from the rank or from how they are
// dealt into micro-batches.

#include <optional>
#include <span>
#include <vector>

#include "base/arena.hpp"
#include "base/queue.hpp"
#include "data/epoch_order.hpp"
#include "data/masking.hpp"
#include "data/sequences.hpp"
#include "model/masked_batch.hpp"
#include "notes/note_dictionary.hpp"
#include "parallel/communicator.hpp"

namespace tenfold {

/// Extents of a micro-batch under resolved settings.
BatchBudget batch_budget(const Settings& settings);

/// Most rare-word occurrences of a micro-batch: they are words of two tokens at least.
std::int64_t note_capacity(const RowBudget& budget);

/// Where a selected token stands with respect to rare words: the last of these that holds.
enum class Neighbourhood : std::uint8_t { no_rare_word, sequence_with_rare_word, within_window, of_rare_word };

/// Where the parts of a micro-batch lie in one buffer, which goes to the device in one copy.
class BatchLayout {
 public:
  explicit BatchLayout(const BatchBudget& budget, bool notes);

  enum Part : std::uint8_t {
    step,           ///< i64 [1], optimizer step
    samples,        ///< i64 [B], global sample indices
    tokens,         ///< i32 [N], masked
    original,       ///< i32 [N]
    sequence,       ///< i32 [N], of each row; -1: none
    offsets,        ///< i32 [B + 1], first row of each sequence
    selected_rows,  ///< i32 [R]
    labels,         ///< i32 [R]
    counts,         ///< i32 [3]: selected rows, occurrences with a note, occurrences that make one
    note_begin,     ///< i32 [O], rows of the occurrences that get a note
    note_end,
    note_slots,    ///< i32 [O], row of each among the rows looked up for the step
    window_begin,  ///< i32 [O], rows whose final output makes a new note
    window_end,
    parts
  };
  enum Count : std::uint8_t { selected, with_note, windows, count_of_counts };

  /// A view of that part of a buffer of bytes().
  Tensor part(Part part, const Tensor& buffer) const;
  std::int64_t bytes() const { return begin_[parts]; }

 private:
  static DType type(Part part) { return part <= samples ? DType::i64 : DType::i32; }
  std::array<std::int64_t, parts> extent_{};
  std::array<std::int64_t, parts + 1> begin_{};  ///< in bytes; multiples of 64
};

/// A micro-batch in host memory.
class HostBatch {
 public:
  /// `rare_words`: with room for those of any text, so that filling it allocates nothing; `host`: memory that the
  /// device can copy from.
  HostBatch(const BatchBudget& budget, bool rare_words, Arena& host);

  std::span<std::int32_t> ints(BatchLayout::Part part) const;  ///< of a part of i32
  std::span<std::int64_t> samples() const;
  void set_step(std::int64_t step) const;
  std::int32_t& count(BatchLayout::Count which) const { return ints(BatchLayout::counts)[which]; }
  const Tensor& buffer() const { return buffer_; }

  std::size_t sequences = 0;                  ///< in use
  std::int64_t filled = 0;                    ///< rows in use
  std::vector<Neighbourhood> neighbourhoods;  ///< of the selected rows, where rare words are looked at
  std::vector<std::int32_t> keys;             ///< of the occurrences that get a note
  std::vector<NoteSource> sources;            ///< of those that make one

 private:
  BatchLayout layout_;
  Tensor buffer_;  ///< null when planned
};

/// A micro-batch in device memory.
class DeviceBatch {
 public:
  /// `note_width`: of notes; absent: none.
  DeviceBatch(const BatchBudget& budget, std::optional<int> note_width, Arena& device);
  /// Starts to take what the host has made; its notes are still to be looked up.
  void copy_in(Queue& queue, const HostBatch& host);

  MaskedBatch masked;
  Tensor note_slots, window_begin, window_end, windows;  ///< as in BatchLayout; absent without notes

 private:
  Device& device_;
  BatchLayout layout_;
  Tensor buffer_;
};

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
  BatchBuilder(const Sequences& sequences, const Settings& settings, const Vocabulary& vocabulary,
               const BatchBudget& budget, std::uint64_t mask_key, bool rare_words);

  /// How many of the first samples one micro-batch holds: they are dealt in order, whole.
  std::size_t fitting(std::span<const Sample> samples) const;
  /// Reads and masks the samples, which must fit.
  void build(std::span<const Sample> samples, HostBatch& batch);

 private:
  void select(const Sample& sample, std::size_t b, HostBatch& batch);
  void find_rare_words(const Sample& sample, std::size_t b, std::size_t first_selected, HostBatch& batch);

  const Sequences& sequences_;
  ObjectiveSettings objective_;
  NotesSettings notes_;
  bool rare_words_;
  Vocabulary vocabulary_;
  BatchBudget budget_;
  std::uint64_t mask_key_;
  std::vector<std::int32_t> selected_;
  std::vector<RareOccurrence> words_;
};

/// Adds what a micro-batch holds to the counts.
void count(const HostBatch& batch, Counts& counts);

/// Sums of the counts of all ranks.
Counts all_reduce(Communicator& communicator, const Counts& counts);

/// The samples of one rank, step by step: rank r of R takes the r-th of R equal parts of every global batch.
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

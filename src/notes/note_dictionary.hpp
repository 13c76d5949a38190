#pragma once
// The note dictionary of TNF (Wu et al., arXiv 2008.01466): one running vector a rare word, in a table distributed over
// the data ranks. Key k lives on rank k mod R, in host memory. A step looks rows up as they were when it began; what
// its forward passes saw of rare words goes to the owners, is sorted there by (key, global sample, begin), averaged a
// key and applied once, so that the table does not depend on the number of ranks.
//
// Sample run, one step:
//   const Tensor& rows = notes.wait(queue);    // of the keys that this step needs
//   notes.request(keys_of_the_next_step);
//   ...                                        // forward passes of all micro-batches, poll() between kernels
//   notes.contribute(step, sources, vectors);  // after the last forward
//   ...                                        // backward pass, poll() between kernels
// Before the first step of a job: notes.request(keys); notes.contribute(steps_done, {}, {}).

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "base/arena.hpp"
#include "base/queue.hpp"
#include "parallel/communicator.hpp"

namespace tenfold {

namespace detail {
class NoteExchange;
class NoteTable;
}  // namespace detail

/// Where a contribution comes from; its vector [d] travels beside it. No two of a step are equal.
struct NoteSource {
  std::int64_t sample;  ///< global sample index
  std::int32_t key;
  std::int32_t begin;  ///< first token of the occurrence in its sequence
};

/// What the notes of a step cost and did. Each number is this rank's part of a sum over all ranks.
struct NoteStatistics {
  std::int64_t looked_up = 0;  ///< rows asked for
  std::int64_t updated = 0;    ///< rows that this rank owns and changed
  std::int64_t dropped = 0;    ///< contributions that were not finite, and so did not count
  std::int64_t bytes = 0;      ///< sent to other ranks
  double age = 0;              ///< sum over the rows given out of steps since their last update, or since the start
  double seconds_waited = 0;   ///< in take_statistics()
};

/// What a rank owns of the table, as it is saved: keys first, first + step, ... The table's own memory, good until the
/// dictionary changes.
struct NoteShare {
  std::int64_t first = 0;
  std::int64_t step = 1;
  std::span<const float> rows;               ///< [count, d]
  std::span<const std::int64_t> updates;     ///< how many each key has had
  std::span<const std::int64_t> last_steps;  ///< of each key's last update; 0: never
};

class NoteDictionary {
 public:
  /// `keys` rare words of width d; `rate` is the weight of a step's mean (gamma). A rank asks for at most `capacity`
  /// rows a step; exchange buffers are made for as many contributions and grow where more arrive. The table lies in
  /// host memory, rows that were asked for on the device. Collective; `data` must outlive the dictionary.
  NoteDictionary(Communicator& data, std::int64_t keys, int width, float rate, std::int64_t capacity, Arena& host,
                 Arena& device);
  ~NoteDictionary();
  NoteDictionary(const NoteDictionary&) = delete;
  NoteDictionary& operator=(const NoteDictionary&) = delete;

  /// Rows begin as N(0, 0.02), each from a Philox stream of `seed` and its key.
  void initialise(std::uint64_t seed);

  // Collective, each once a step in this order. Only wait() and what follows it wait for other
  // ranks; poll() is not collective.

  /// Starts asking for the rows of these keys (distinct, any number up to the capacity, also none).
  void request(std::span<const std::int32_t> keys);
  /// Sends what step `step` (counted from 1) saw: sources[i] with vectors[i d, (i + 1) d). The updates are applied once
  /// those of all ranks are in, and then the last request is answered.
  void contribute(std::int64_t step, std::span<const NoteSource> sources, std::span<const float> vectors);
  /// Lets what is outstanding advance; returns at once. To be called between kernels.
  void poll();
  /// The rows asked for last: f32 [capacity, d] on the device of `queue`, row i of keys[i], later rows of no meaning.
  /// Good until the next wait().
  const Tensor& wait(Queue& queue);

  /// Rows as they are now into the first rows of `rows`, f32 [n, d] with n at least keys.size(): for validation.
  /// A pending request() is not disturbed. Counts for no statistics. Collective, and waits.
  void look_up(Queue& queue, std::span<const std::int32_t> keys, const Tensor& rows);

  /// Since the last call. Waits for the exchange of the step, whose counts so do not depend on when messages come.
  NoteStatistics take_statistics();

  /// This rank's keys after all contributions so far. Collective, and waits; a pending request() is not disturbed.
  NoteShare share();
  /// Reads rows [first, first + updates.size()) of the whole table: rows [count, d], updates, last steps.
  using ReadBlock = std::function<void(std::int64_t first, std::span<float> rows, std::span<std::int64_t> updates,
                                       std::span<std::int64_t> last_steps)>;
  /// Takes the table from what was saved, read block by block, of which this rank keeps what it owns; all ranks read
  /// the same blocks in the same order, so that reading may be collective. With no request pending.
  void restore(const ReadBlock& read_block);

  std::int64_t keys() const;
  int width() const;

 private:
  void take_rows(detail::NoteExchange& exchange, Queue& queue, const Tensor& rows);

  Communicator& data_;
  std::unique_ptr<detail::NoteTable> table_;
  Tensor rows_;
  std::unique_ptr<detail::NoteExchange> exchange_;  ///< of the training step
  std::unique_ptr<detail::NoteExchange> look_ups_;
  std::vector<float> staged_;
};

}  // namespace tenfold

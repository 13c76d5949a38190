#pragma once
// The note dictionary of TNF (Wu et al., arXiv 2008.01466): one running vector a rare word, as a table distributed over the data ranks.
// Key k lives on rank k mod R. A step looks rows up as they were when the step began; what its forward passes saw of rare
// words is sent to the owners, sorted there by (key, global sample, begin), averaged a key and applied once, so that the table does not
// depend on the number of ranks. Non-finite contributions are dropped and counted.

#include <cstdint>
#include <span>
#include <vector>

#include "base/arena.hpp"
#include "base/queue.hpp"
#include "parallel/communicator.hpp"

namespace tenfold {

/// Where a contribution comes from; its vector [d] travels beside it.
struct NoteSource {
  std::int64_t sample;  ///< global sample index
  std::int32_t key;
  std::int32_t begin;   ///< first token of the occurrence in its sequence
};

/// What the notes of a step cost and did, on this rank.
struct NoteStatistics {
  std::int64_t looked_up = 0;   ///< rows asked for
  std::int64_t updated = 0;     ///< rows that this rank's table changed
  std::int64_t dropped = 0;     ///< contributions that were not finite
  std::int64_t bytes = 0;       ///< sent to other ranks
  double age = 0;               ///< sum over rows asked for of steps since their last update
  double seconds_waited = 0;    ///< in wait()
};

class NoteDictionary {
 public:
  /// `keys` rare words, `width` d. Most rows a rank asks for in a step: `capacity`. Initial rows ~ N(0, 0.02) by Philox keyed by the key.
  NoteDictionary(Communicator& data, std::int64_t keys, int width, float update_rate, std::int64_t capacity,
                 std::uint64_t seed, Arena& arena);

  /// Draws the initial rows.
  void initialise(Queue& queue);

  /// Starts asking for rows of distinct keys that the next step needs; returns at once. Collective, once a step.
  void request(std::span<const std::int32_t> keys);
  /// Sends what `step` saw: sources[i] with vectors[i * d ...]; starts the update and then the answers to the last request; returns at
  /// once. Collective, once a step, after request().
  void contribute(std::int64_t step, std::span<const NoteSource> sources, std::span<const float> vectors);
  /// Lets what is outstanding advance; returns at once.
  void poll(Queue& queue);
  /// Waits for the rows asked for last and returns them: f32 [capacity, d], row i is of keys[i]; good until the next wait().
  const Tensor& wait(Queue& queue);
  /// Statistics since the last call.
  NoteStatistics take_statistics();

  std::int64_t keys() const { return keys_; }
  int width() const { return width_; }

 private:
  std::int64_t keys_;
  int width_;
};

}  // namespace tenfold

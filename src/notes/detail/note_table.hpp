#pragma once
// One rank's share of the note table: the keys that are its rank modulo the ranks; key k is row k / ranks. In host
// memory, without communication.

#include <cstdint>
#include <span>
#include <vector>

#include "base/arena.hpp"
#include "base/queue.hpp"
#include "notes/note_dictionary.hpp"

namespace tenfold::detail {

class NoteTable {
 public:
  /// With buffers for `capacity` contributions, which grow where more arrive. `host`: host memory.
  NoteTable(Arena& host, std::int64_t keys, int width, float rate, std::int64_t capacity, int rank, int ranks);

  std::int64_t keys() const { return keys_; }
  int width() const { return width_; }
  bool owns(std::int64_t key) const { return key % ranks_ == rank_; }
  /// Keys of this share below `key`; also the row of `key` if it is one.
  std::int64_t owned_below(std::int64_t key) const { return (key - rank_ + ranks_ - 1) / ranks_; }

  /// Row of key k ~ N(0, 0.02) from a stream of its own.
  void initialise(std::uint64_t seed);

  /// Contributions travel as records of words: a NoteSource, then its vector.
  static constexpr std::int64_t source_words = sizeof(NoteSource) / sizeof(std::uint32_t);
  std::int64_t record_words() const { return source_words + width_; }
  /// Applies what arrived in a step, in any order, as one update a key; returns how many rows it changed.
  std::int64_t update(std::int64_t step, std::span<const std::uint32_t> records);

  /// Copies the row of one of its keys to `row`: [width].
  void read(std::int64_t key, float* row);
  void write(std::int64_t key, const float* row, std::int64_t updates, std::int64_t last_step);
  std::int64_t last_step(std::int64_t key) const { return last_steps_[static_cast<std::size_t>(owned_below(key))]; }

  // All of the share, by ascending key.
  std::span<const float> rows() const;
  std::span<const std::int64_t> updates() const { return updates_; }
  std::span<const std::int64_t> last_steps() const { return last_steps_; }

 private:
  struct Arrived {
    NoteSource source;
    const std::uint32_t* vector;
  };
  void sort(std::span<const std::uint32_t> records);
  Tensor row(std::int64_t key) const { return table_.rows(owned_below(key), 1); }

  std::int64_t keys_;
  int width_;
  float rate_;
  int rank_;
  int ranks_;
  Tensor table_;
  std::vector<std::int64_t> updates_;
  std::vector<std::int64_t> last_steps_;
  std::unique_ptr<Queue> queue_;  ///< of the host, so that a GPU's queue is not held up

  // Of one update.
  std::vector<Arrived> arrived_;
  std::vector<std::int32_t> changed_;
  std::vector<std::int32_t> first_;
  std::vector<float> values_;
};

}  // namespace tenfold::detail

#pragma once
// One step's exchange with the owners of notes: a chain of non-blocking collectives, of which one is outstanding at a
// time, so that all ranks start them in one order. The chain rests where it needs the caller.

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "notes/detail/note_table.hpp"
#include "notes/detail/owner_order.hpp"
#include "parallel/communicator.hpp"

namespace tenfold::detail {

class NoteExchange {
 public:
  /// With buffers for `capacity` rows each way. Collective; duplicates the communicator.
  NoteExchange(Communicator& data, NoteTable& table, std::int64_t capacity);

  /// As those of NoteDictionary.
  void request(std::span<const std::int32_t> keys);
  void contribute(std::int64_t step, std::span<const NoteSource> sources, std::span<const float> vectors);
  void poll() { advance(Patience::test); }
  /// Waits until the chain rests.
  void settle() { advance(Patience::wait); }
  bool resting() const { return stage_ == Stage::idle || stage_ == Stage::requested || stage_ == Stage::answered; }
  /// Waits for the answers to the last request, and puts row i of its keys[i] into `rows`, resized to fit.
  void take_answers(std::vector<float>& rows);

  NoteStatistics statistics;

 private:
  enum class Stage {
    idle,
    request_counts,  // how many keys from each rank
    request_keys,
    requested,  // rests until contribute()
    contribution_counts,
    contributions,
    answers,
    answered  // rests until take_answers()
  };
  enum class Patience { test, wait };
  using Counts = std::vector<std::int64_t>;

  void advance(Patience patience);
  void next(Stage done);
  void pack(std::span<const NoteSource> sources, std::span<const float> vectors);
  void start_counts(Stage stage, std::span<const std::int64_t> send, Counts& receive);
  void start_answers();
  template <Word T>
  void start(Stage stage, std::span<const T> send, std::span<const std::int64_t> send_counts, std::vector<T>& receive,
             std::span<const std::int64_t> receive_counts);

  std::unique_ptr<Communicator> communicator_;
  NoteTable& table_;
  std::int64_t width_;
  Stage stage_ = Stage::idle;
  Request outstanding_;
  bool contributed_ = false;
  std::int64_t step_ = 0;

  OwnerOrder request_order_;
  std::vector<std::int32_t> requested_keys_;
  Counts asked_counts_;  ///< of keys, by asking rank
  std::vector<std::int32_t> asked_keys_;

  OwnerOrder contribution_order_;
  std::vector<std::size_t> finite_;  ///< which of the sources
  std::vector<std::int32_t> finite_keys_;
  Counts sent_words_;
  Counts arriving_words_;
  std::vector<std::uint32_t> sent_records_;
  std::vector<std::uint32_t> arrived_records_;

  Counts served_counts_;
  Counts answer_counts_;
  std::vector<float> served_;
  std::vector<float> answers_;
};

}  // namespace tenfold::detail

#pragma once
// The table in which the ranks of one node say where they stand, in memory that they share.

#include <atomic>
#include <cstdint>
#include <span>

#include "parallel/node_memory.hpp"

namespace tenfold::detail {

/// One rank. `spoken`: it leaves because of an error and prints that itself.
struct NodeSlot {
  enum State : std::int32_t { present, left, spoken };

  std::atomic<std::int32_t> rank{-1};
  std::atomic<std::int32_t> pid{0};
  std::atomic<std::int32_t> state{present};
  Standing standing;
};

/// Who prints when something is wrong: the one that claims it first.
struct NodeReport {
  std::atomic<std::int32_t> claimed{0};
  std::atomic<std::int32_t> printed{0};
};

static_assert(std::atomic<std::int64_t>::is_always_lock_free && std::atomic<std::int32_t>::is_always_lock_free);

class NodeTable {
 public:
  /// Collective over the world; the ranks agree on a failure.
  explicit NodeTable(MpiCommunicator& world);
  NodeTable(const NodeTable&) = delete;
  NodeTable& operator=(const NodeTable&) = delete;

  std::span<NodeSlot> slots() const { return slots_; }
  NodeSlot& mine() const { return slots_[static_cast<std::size_t>(my_slot_)]; }
  /// Whether this is the first rank of its node.
  bool leads() const { return my_slot_ == 0; }
  NodeReport& report() const { return *report_; }

 private:
  NodeTable(MpiCommunicator& world, MpiCommunicator node);

  NodeMemory memory_;
  NodeReport* report_ = nullptr;
  std::span<NodeSlot> slots_;
  int my_slot_ = 0;
};

}  // namespace tenfold::detail

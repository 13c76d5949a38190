#pragma once
// Memory that the ranks of a node share: plain shared memory of the operating system, so that using it and giving it
// back need no MPI call and no other rank.

#include <cstddef>
#include <span>
#include <utility>

#include "parallel/mpi_communicator.hpp"

namespace tenfold {

class NodeMemory {
 public:
  /// So many bytes (at least one), zero. `node`: ranks of `world` that share a host and see each other's processes.
  /// Collective over `world`; the ranks agree on a failure. The room is taken at once, so that no later store can fail.
  NodeMemory(MpiCommunicator& world, MpiCommunicator& node, std::size_t bytes);
  NodeMemory(NodeMemory&& other) noexcept : data_(std::exchange(other.data_, nullptr)), size_(other.size_) {}
  NodeMemory& operator=(NodeMemory&&) = delete;
  ~NodeMemory();

  void* data() const { return data_; }
  std::size_t size() const { return size_; }

 private:
  void* data_ = nullptr;
  std::size_t size_;
};

/// An array of numbers in such memory.
template <Transferable T>
class NodeArray {
 public:
  NodeArray(MpiCommunicator& world, MpiCommunicator& node, std::size_t elements)
      : memory_(world, node, elements * sizeof(T)), elements_(elements) {}

  std::size_t size() const { return elements_; }
  std::span<T> values() const { return {static_cast<T*>(memory_.data()), elements_}; }
  T operator[](std::size_t i) const { return values()[i]; }

 private:
  NodeMemory memory_;
  std::size_t elements_;
};

}  // namespace tenfold

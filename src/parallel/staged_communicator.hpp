#pragma once
// MPI for ranks whose tensors lie on a device: sums go through pinned host memory, so that MPI sees host memory only.
// For machines without NCCL, and for several ranks on one GPU, which NCCL refuses.

#include <memory>
#include <vector>

#include "base/device.hpp"
#include "parallel/mpi_communicator.hpp"

namespace tenfold {

class StagedCommunicator final : public MpiCommunicator {
 public:
  /// The same ranks as a group of their own. Collective. `device` must outlive it.
  StagedCommunicator(const MpiCommunicator& ranks, Device& device);
  ~StagedCommunicator() override;

  /// Ordered after the work issued on `queue` before; the queue's later work may read the sums once it was waited for.
  Request start_all_reduce_sum(Queue& queue, const Tensor& values) override;
  void poll() override;
  bool test(Request request) override;
  void wait(Request request) override;

 private:
  /// A sum on its way: out of the device, between the ranks, back.
  struct Sum {
    enum class State { free, leaving, summing, arriving };
    State state = State::free;
    Tensor values, staged;
    std::byte* memory = nullptr;
    std::size_t bytes = 0;  ///< of `memory`
    std::unique_ptr<Event> event;
    Request reduction;
  };
  static constexpr std::int32_t first_slot = 1 << 24;  ///< above those of MPI's own requests

  Sum& sum_of(Request request) { return sums_.at(static_cast<std::size_t>(request.slot - first_slot)); }
  std::size_t free_sum();

  Device& device_;
  std::unique_ptr<Queue> copies_;
  std::vector<Sum> sums_;
  std::vector<std::size_t> leaving_;  ///< in the order of their start
};

}  // namespace tenfold

#include "parallel/staged_communicator.hpp"

#include <algorithm>

#include "parallel/device_communicator.hpp"

namespace tenfold {

StagedCommunicator::StagedCommunicator(const MpiCommunicator& ranks, Device& device)
    : MpiCommunicator(ranks.native(), ranks.progress()), device_(device), copies_(device.make_queue()) {}

StagedCommunicator::~StagedCommunicator() {
  for (const Sum& sum : sums_)
    if (sum.memory != nullptr) device_.release(MemoryKind::pinned, sum.memory, sum.bytes);
}

std::size_t StagedCommunicator::free_sum() {
  const auto found = std::ranges::find(sums_, Sum::State::free, &Sum::state);
  if (found != sums_.end()) return static_cast<std::size_t>(found - sums_.begin());
  sums_.emplace_back().event = device_.make_event();
  return sums_.size() - 1;
}

Request StagedCommunicator::start_all_reduce_sum(Queue& queue, const Tensor& values) {
  if (values.device() == DeviceKind::host) return MpiCommunicator::start_all_reduce_sum(queue, values);
  if (size() == 1) return {};
  const std::size_t slot = free_sum();
  Sum& sum = sums_[slot];
  if (sum.bytes < values.bytes()) {
    if (sum.memory != nullptr) device_.release(MemoryKind::pinned, sum.memory, sum.bytes);
    sum.bytes = values.bytes();
    sum.memory = device_.allocate(MemoryKind::pinned, sum.bytes);
    TENFOLD_VERIFY(sum.memory != nullptr, "no ", sum.bytes, " bytes of pinned memory");
  }
  sum.values = values;
  sum.staged = Tensor(sum.memory, values.dtype(), values.shape());
  queue.record(*sum.event);
  copies_->wait(*sum.event);
  copies_->start_copy_out(values, sum.memory);
  copies_->record(*sum.event);
  sum.state = Sum::State::leaving;
  leaving_.push_back(slot);
  return {first_slot + static_cast<std::int32_t>(slot)};
}

void StagedCommunicator::poll() {
  MpiCommunicator::poll();
  // MPI wants the sums in the same order on all ranks, so they leave in the order of their start.
  while (!leaving_.empty() && sums_[leaving_.front()].event->done()) {
    Sum& sum = sums_[leaving_.front()];
    leaving_.erase(leaving_.begin());
    sum.reduction = MpiCommunicator::start_all_reduce_sum(*copies_, sum.staged);
    sum.state = Sum::State::summing;
  }
  for (Sum& sum : sums_) {
    if (sum.state != Sum::State::summing || !MpiCommunicator::test(sum.reduction)) continue;
    MpiCommunicator::wait(sum.reduction);
    copies_->start_copy_in(sum.memory, sum.values);
    copies_->record(*sum.event);
    sum.state = Sum::State::arriving;
  }
}

bool StagedCommunicator::test(Request request) {
  if (request.slot < first_slot) return MpiCommunicator::test(request);
  poll();
  const Sum& sum = sum_of(request);
  return sum.state == Sum::State::arriving && sum.event->done();
}

void StagedCommunicator::wait(Request request) {
  if (request.slot < first_slot) return MpiCommunicator::wait(request);
  const Progress::Waiting waiting(progress(), "MPI_Iallreduce of device memory");
  while (!test(request)) continue;
  sum_of(request).state = Sum::State::free;
}

std::unique_ptr<Communicator> make_staged_communicator(const MpiCommunicator& ranks, Device& device) {
  return std::make_unique<StagedCommunicator>(ranks, device);
}

}  // namespace tenfold

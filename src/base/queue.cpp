#include "base/queue.hpp"

#include <cstring>

namespace tenfold {

void Queue::copy_in(const void* host, const Tensor& destination) {
  std::memcpy(destination.raw(), host, destination.bytes());
}

void Queue::copy_out(const Tensor& source, void* host) {
  std::memcpy(host, source.raw(), source.bytes());
}

void Queue::clear(const Tensor& tensor) {
  std::memset(tensor.raw(), 0, tensor.bytes());
}

Queue::Region::Region(Queue& queue, const char* label) : queue_(queue), label_(label) {
  if (queue_.observer_) queue_.observer_(label_, true);
  if (profiler != nullptr) profiler(label_, true);
}

Queue::Region::~Region() {
  if (profiler != nullptr) profiler(label_, false);
  if (queue_.observer_) queue_.observer_(label_, false);
}

}  // namespace tenfold

#include "base/queue.hpp"

#include "base/profile.hpp"

namespace tenfold {

Queue::Region::Region(Queue& queue, const char* label) : queue_(queue), label_(label) {
  if (queue_.observer_) {
    constexpr const char* poll = "tenfold::communication::poll";
    queue_.begin(poll);
    queue_.observer_(label_);
    queue_.end(poll);
  }
  queue_.begin(label_);
}

Queue::Region::~Region() {
  queue_.end(label_);
}

void Queue::begin(const char* label) {
  if (profile_ != nullptr) profile_->begin(label);
  if (profiler != nullptr) profiler(label, true);
}

void Queue::end(const char* label) noexcept {
  if (profiler != nullptr) profiler(label, false);
  if (profile_ != nullptr) profile_->end();
}

}  // namespace tenfold

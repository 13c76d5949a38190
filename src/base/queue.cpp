#include "base/queue.hpp"

#include "base/profile.hpp"

namespace tenfold {

Queue::Region::Region(Queue& queue, const char* label) : queue_(queue), label_(label) {
  if (queue_.observer_) {
    if (queue_.profile_ != nullptr) queue_.profile_->begin("tenfold::communication::poll");
    queue_.observer_(label_);
    if (queue_.profile_ != nullptr) queue_.profile_->end();
  }
  if (queue_.profile_ != nullptr) queue_.profile_->begin(label_);
  if (profiler != nullptr) profiler(label_, true);
}

Queue::Region::~Region() {
  if (profiler != nullptr) profiler(label_, false);
  if (queue_.profile_ != nullptr) queue_.profile_->end();
}

}  // namespace tenfold

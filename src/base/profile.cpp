#include "base/profile.hpp"

namespace tenfold {

namespace {
double between(Clock::time_point from, Clock::time_point to) noexcept {
  return std::chrono::duration<double>(to - from).count();
}
}  // namespace

void Profile::begin(const char* label) {
  const auto now = Clock::now();
  Entry& entry = entries_[label];
  if (!open_.empty()) open_.back().entry->seconds += between(open_.back().resumed, now);
  ++entry.calls;
  open_.push_back({&entry, now});
}

void Profile::end() noexcept {
  if (open_.empty()) return;
  const auto now = Clock::now();
  open_.back().entry->seconds += between(open_.back().resumed, now);
  open_.pop_back();
  if (!open_.empty()) open_.back().resumed = now;
}

}  // namespace tenfold

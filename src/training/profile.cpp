#include "training/profile.hpp"

namespace tenfold {

void Profile::observe(const char* label, bool begin) {
  const auto now = Clock::now();
  if (!open_.empty())
    entries_[open_.back().label].seconds += std::chrono::duration<double>(now - open_.back().resumed).count();
  if (begin) {
    ++entries_[label].calls;
    open_.push_back({label, now});
  } else {
    open_.pop_back();
    if (!open_.empty()) open_.back().resumed = now;
  }
}

}  // namespace tenfold

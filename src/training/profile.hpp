#pragma once
// Where the time of a queue goes: calls and seconds of every kernel label, without the kernels that it called itself.

#include <map>
#include <string_view>
#include <vector>

#include "base/clock.hpp"

namespace tenfold {

class Profile {
 public:
  struct Entry {
    std::int64_t calls = 0;
    double seconds = 0;
  };
  /// As a Queue::Observer.
  void observe(const char* label, bool begin);
  const std::map<std::string_view, Entry>& entries() const { return entries_; }

 private:
  struct Open {
    const char* label;
    Clock::time_point resumed;
  };
  std::map<std::string_view, Entry> entries_;
  std::vector<Open> open_;
};

}  // namespace tenfold

#pragma once
// Where the time of a queue goes: calls and seconds of every label, without the regions that it entered itself.

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
  /// `label`: a string literal. If an exception leaves a region before its work began, the books are wrong but whole.
  void begin(const char* label);
  void end() noexcept;
  const std::map<std::string_view, Entry>& entries() const { return entries_; }

 private:
  struct Open {
    Entry* entry;
    Clock::time_point resumed;
  };
  std::map<std::string_view, Entry> entries_;
  std::vector<Open> open_;
};

}  // namespace tenfold

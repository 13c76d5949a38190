#pragma once
// One line of progress on standard error: redrawn on a terminal, else a line every few seconds.

#include <cstdint>
#include <string>

#include "base/clock.hpp"

namespace tenfold {

class ProgressLine {
 public:
  /// `shown` is false on ranks that keep quiet. `total` bytes lie before it.
  ProgressLine(bool shown, std::string phase, std::int64_t total);
  /// Ends the line.
  ~ProgressLine();
  ProgressLine(const ProgressLine&) = delete;
  ProgressLine& operator=(const ProgressLine&) = delete;

  void advance(std::int64_t bytes);

 private:
  void print();

  std::string phase_;
  std::int64_t total_;
  std::int64_t done_ = 0;
  bool shown_;
  bool terminal_;
  std::int64_t printed_ = -1;  ///< bytes that the last line spoke of
  Clock::time_point start_ = Clock::now();
  Clock::time_point last_ = start_;
};

}  // namespace tenfold

#include "preparation/progress_line.hpp"

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace tenfold {

namespace {

std::string bar_of(double share) {
  constexpr std::size_t width = 20;
  const auto full = static_cast<std::size_t>(std::lround(share * width));
  return '[' + std::string(full, '#') + std::string(width - full, '.') + ']';
}

}  // namespace

ProgressLine::ProgressLine(bool shown, std::string phase, std::int64_t total)
    : phase_(std::move(phase)), total_(total), shown_(shown), terminal_(isatty(STDERR_FILENO) == 1) {}

ProgressLine::~ProgressLine() {
  if (!shown_) return;
  if (printed_ != done_) print();
  if (terminal_) std::fputc('\n', stderr);
}

void ProgressLine::advance(std::int64_t bytes) {
  done_ += bytes;
  if (!shown_ || Clock::now() - last_ < (terminal_ ? std::chrono::milliseconds(200) : std::chrono::seconds(5))) return;
  print();
}

void ProgressLine::print() {
  last_ = Clock::now();
  printed_ = done_;
  const double seconds = seconds_since(start_);
  const double rate = seconds > 0 ? static_cast<double>(done_) / seconds : 0;
  const std::int64_t ahead = std::max<std::int64_t>(total_ - done_, 0);  // a file may grow while it is read
  const double share = ahead > 0 ? static_cast<double>(done_) / static_cast<double>(total_) : 1;
  const double left = rate > 0 ? static_cast<double>(ahead) / rate : 0;
  char numbers[96];
  std::snprintf(numbers, sizeof numbers, "%3.0f %%  %.1f MB  %.1f MB/s  %.0f s left", share * 100,
                static_cast<double>(done_) * 1e-6, rate * 1e-6, left);
  std::fprintf(stderr, "%s%-10s %s %s%s", terminal_ ? "\r" : "", phase_.c_str(), bar_of(share).c_str(), numbers,
               terminal_ ? "   " : "\n");
  std::fflush(stderr);
}

}  // namespace tenfold

#include "process/signals.hpp"

#include <atomic>

#include "process/detail/system.hpp"

namespace tenfold {

namespace {

constexpr std::array<int, 2> stop_signals{SIGUSR1, SIGTERM};

// A signal handler can reach nothing but static storage.
std::atomic<bool> stop_received{false};
static_assert(std::atomic<bool>::is_always_lock_free);

extern "C" void note_stop(int) {
  stop_received.store(true, std::memory_order_relaxed);
}

}  // namespace

StopSignals::StopSignals() {
  stop_received.store(false, std::memory_order_relaxed);
  struct sigaction action {};
  action.sa_handler = note_stop;
  action.sa_flags = SA_RESTART;  // file operations in progress go on
  for (std::size_t i = 0; i < stop_signals.size(); ++i)
    detail::check_system(sigaction(stop_signals[i], &action, &previous_[i]), "sigaction");
}

StopSignals::~StopSignals() {
  for (std::size_t i = 0; i < stop_signals.size(); ++i)
    detail::check_system(sigaction(stop_signals[i], &previous_[i], nullptr), "sigaction");
}

bool StopSignals::received() const {
  return stop_received.load(std::memory_order_relaxed);
}

bool StopSignals::requested(Communicator& communicator) const {
  return communicator.all_reduce_max(std::int64_t{received()}) != 0;
}

}  // namespace tenfold

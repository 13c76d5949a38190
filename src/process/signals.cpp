#include "process/signals.hpp"

#include <pthread.h>

#include <csignal>
#include <cstdlib>
#include <cstring>
#include <utility>

namespace tenfold {

namespace {

sigset_t set_of(std::initializer_list<int> signals) {
  sigset_t set;
  TENFOLD_VERIFY(sigemptyset(&set) == 0, "sigemptyset");
  for (int signal : signals) TENFOLD_VERIFY(sigaddset(&set, signal) == 0, "signal ", signal);
  return set;
}

sigset_t taken_signals() {
  return set_of({SIGUSR1, SIGTERM});
}

/// `how` as pthread_sigmask takes it, for the calling thread.
void mask(int how, const sigset_t& set) {
  const int status = pthread_sigmask(how, &set, nullptr);
  TENFOLD_VERIFY(status == 0, "pthread_sigmask: ", std::strerror(status));
}

extern "C" void unblock_in_child() {
  mask(SIG_UNBLOCK, taken_signals());
}

}  // namespace

Signals::Signals() {
  mask(SIG_BLOCK, taken_signals());
  const int status = pthread_atfork(nullptr, nullptr, unblock_in_child);
  TENFOLD_VERIFY(status == 0, "pthread_atfork: ", std::strerror(status));
}

Signals::~Signals() {
  if (!thread_.joinable()) return;
  ends_.store(true);
  if (pthread_kill(thread_.native_handle(), SIGUSR1) != 0) std::abort();  // wakes it; the thread is there until joined
  thread_.join();
}

void Signals::start(Meaning meaning) {
  thread_ = std::thread([this, meaning] { run(meaning); });
}

void Signals::run(Meaning meaning) {
  const sigset_t set = taken_signals();
  int signal = 0;
  while (true) {
    const int status = sigwait(&set, &signal);
    TENFOLD_VERIFY(status == 0, "sigwait: ", std::strerror(status));
    if (ends_.load()) return;
    if (meaning == Meaning::save)
      received_.store(true, std::memory_order_relaxed);
    else
      take(signal);
  }
}

void Signals::take(int signal) {
  const std::lock_guard lock(mutex_);
  if (signal == SIGTERM && note_termination_)
    note_termination_();
  else
    deliver(signal);
}

bool Signals::requested(Communicator& communicator) const {
  return communicator.all_reduce_max(std::int64_t{received()}) != 0;
}

void Signals::defer_termination(std::function<void()> note) {
  const std::lock_guard lock(mutex_);
  note_termination_ = std::move(note);
}

void Signals::deliver(int signal) {
  const sigset_t set = set_of({signal});
  mask(SIG_UNBLOCK, set);
  TENFOLD_VERIFY(raise(signal) == 0, "raise of signal ", signal);  // to this thread
  mask(SIG_BLOCK, set);
}

}  // namespace tenfold

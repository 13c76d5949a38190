#pragma once
// SIGUSR1 and SIGTERM, taken without a handler. Kernels of libraries use the stack register as they like (oneDNN's f32
// products for AVX2 walk through a heap buffer with it), and a handler on the normal stack would write its frame there.
// So both signals are blocked in every thread for the whole life of the process, and one thread waits for them. It
// makes no MPI call.
//
// What others install: Open MPI 4.1 has handlers in a rank for SIGABRT, SIGBUS, SIGFPE and SIGSEGV alone (SigCgt in
// /proc/PID/status), which say where a process was that ends anyway; mpirun hands SIGUSR1 on with kill(), like any
// other sender. A signal that is sent to a single thread with tgkill() stays without effect.

#include <atomic>
#include <functional>
#include <mutex>
#include <thread>

#include "parallel/communicator.hpp"

namespace tenfold {

class Signals {
 public:
  /// What the signals mean to a process: its end as by default, or that a run is to save and stop.
  enum class Meaning { end, save };

  /// Blocks both signals in this thread and so in all that it starts: before any other thread, first thing in main.
  /// They wait until start(). A process that is forked off has them unblocked (one that is spawned inherits the block).
  Signals();
  /// The signals stay blocked and have no effect any more: they cannot change how the process ends.
  ~Signals();
  Signals(const Signals&) = delete;
  Signals& operator=(const Signals&) = delete;

  /// Starts the thread that takes the signals. Once.
  void start(Meaning meaning);

  /// Whether this process was asked to save and stop, at any time since its start; never where signals mean the end.
  bool received() const { return received_.load(std::memory_order_relaxed); }
  /// Whether any rank was; the same answer on every rank. Collective.
  bool requested(Communicator& communicator) const;

  /// From now on SIGTERM, where it means the end, calls this in the thread of signals instead; whoever asked for it
  /// calls deliver(SIGTERM) soon. An empty function: as before.
  void defer_termination(std::function<void()> note);

  /// Lets a signal do to the process what it does by default. Returns if it was inherited as ignored.
  static void deliver(int signal);

 private:
  void run(Meaning meaning);
  void take(int signal);

  std::atomic<bool> received_{false};
  std::atomic<bool> ends_{false};
  std::mutex mutex_;
  std::function<void()> note_termination_;
  std::thread thread_;
};

}  // namespace tenfold

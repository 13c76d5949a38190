#pragma once
// Ends a run whose rank died or stalled, and says who stood where. The ranks of a node publish their progress in
// a table in shared memory, and a thread in each looks at it; over TCP it hears of the other nodes. It makes no MPI
// call.

#include <chrono>
#include <memory>

#include "process/runtime.hpp"

namespace tenfold {

class Watchdog {
 public:
  /// Collective over the world. A rank that shows no progress for `stall_timeout`, or whose process is gone, ends all
  /// ranks of its node with exit code 1, on which mpirun and `srun --kill-on-bad-exit=1` end the rest.
  /// Ranks that all wait for others for so long are ended likewise, but not while a rank of any host works.
  /// While it lives, a SIGTERM that means the end ends the process only after a last look at the others: mpirun sends
  /// it to the survivors of a death, and they are the ones who can say what happened.
  Watchdog(Runtime& runtime, std::chrono::duration<double> stall_timeout);
  /// Not collective. After it the rank may come and go as it likes; when an exception unwinds, the other ranks know
  /// that this one speaks for itself.
  ~Watchdog();
  Watchdog(const Watchdog&) = delete;
  Watchdog& operator=(const Watchdog&) = delete;

 private:
  class Observer;
  std::unique_ptr<Observer> observer_;
};

}  // namespace tenfold

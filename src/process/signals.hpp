#pragma once
// SIGUSR1 and SIGTERM ask a run to save and stop.

#include <array>
#include <csignal>

#include "parallel/communicator.hpp"

namespace tenfold {

class StopSignals {
 public:
  /// From now on the signals set a flag. One object at a time.
  StopSignals();
  /// Gives the signals back to whom they belonged.
  ~StopSignals();
  StopSignals(const StopSignals&) = delete;
  StopSignals& operator=(const StopSignals&) = delete;

  /// Whether this rank got one.
  bool received() const;
  /// Whether any rank got one; the same answer on every rank. Collective.
  bool requested(Communicator& communicator) const;

 private:
  std::array<struct sigaction, 2> previous_{};
};

}  // namespace tenfold

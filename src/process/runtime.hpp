#pragma once
// MPI's life, and the one catch of the program.

#include <array>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <string>

#include "base/check.hpp"
#include "base/progress.hpp"
#include "parallel/mpi_communicator.hpp"
#include "process/signals.hpp"

namespace tenfold {

class Runtime {
 public:
  /// Starts MPI with MPI_THREAD_FUNNELED.
  Runtime(int& argc, char**& argv, Signals& signals);
  /// Ends MPI (collective).
  ~Runtime();
  Runtime(const Runtime&) = delete;
  Runtime& operator=(const Runtime&) = delete;

  MpiCommunicator& world() { return *world_; }
  Progress& progress() { return progress_; }
  Signals& signals() { return signals_; }
  const std::string& host() const { return host_; }
  static std::string mpi_version();  ///< the library's own words, first line: "Open MPI v4.1.4, ..."

 private:
  friend int run_application(int argc, char** argv, Signals& signals,
                             const std::function<ExitCode(Runtime&)>& application);

  /// Prints the failure; returns only if every rank of the world reports the same one, and aborts all ranks otherwise.
  ExitCode report(const std::exception_ptr& failure);
  /// Of refused input, neither source line nor region; the rank only if it is not rank 0, which stands for all.
  void print(const Error& error, int rank, const std::string& host, const std::string& source) const;
  /// Whether this is one of several tasks of a launcher that MPI does not know; the first task says so.
  bool is_stray() const;
  /// Whether every rank comes here with the same text within two seconds.
  bool all_fail_alike(const std::string& message);

  Signals& signals_;
  Progress progress_;
  std::unique_ptr<MpiCommunicator> world_;
  std::unique_ptr<MpiCommunicator> farewell_;     ///< of the one catch alone, so that it meets no other collective
  std::array<std::int64_t, 2> farewell_words_{};  ///< outlive a farewell that is given up
  std::string host_;
};

/// Runs the application and returns the process's exit code. An AgreedError of the world, or an InputError that every
/// rank threw with the same text, is printed once and ends MPI in order; any other exception is printed by the rank
/// that threw it (message, rank, host, source line, region), which then aborts all ranks. `signals` have been started.
int run_application(int argc, char** argv, Signals& signals, const std::function<ExitCode(Runtime&)>& application);

}  // namespace tenfold

// Ranks that work and sum together until rank 1 goes wrong at step 20 in the way the first argument names.
// Sample run: mpirun -n 3 fault_program throw

#include <unistd.h>

#include <cstdlib>
#include <iostream>
#include <optional>
#include <stdexcept>
#include <thread>

#include "io/hdf5_parallel.hpp"
#include "parallel/agree.hpp"
#include "process/runtime.hpp"
#include "process/watchdog.hpp"

namespace {

using tenfold::Error;
using tenfold::ExitCode;
using tenfold::InputError;
using tenfold::Progress;
using tenfold::Runtime;

constexpr std::chrono::seconds stall_timeout{3};
constexpr int faulty_rank = 1;
constexpr int faulty_step = 20;
constexpr int last_step = 1500;
constexpr int last_step_of_busy = 30;

void say(const std::string& line) {
  std::cout << line + "\n" << std::flush;
}

/// Where rank 1 is harmed from outside nothing happens here.
void go_wrong(const std::string& fault, Runtime& runtime) {
  const bool faulty = runtime.world().rank() == faulty_rank;
  if (faulty) say("fault now");
  if (fault == "agreed")
    tenfold::agree(runtime.world(), [&] {
      if (faulty) throw Error("disk full");
    });
  if (fault == "input") throw InputError("model.heads does not divide model.width");
  if (!faulty) return;
  if (fault == "throw") throw Error("matrix is not finite");
  if (fault == "foreign") throw std::out_of_range("index 7 of 5");
  if (fault == "input-of-one") throw InputError("cannot read text.gz");
  if (fault == "exit") std::exit(0);
  if (fault == "hang")
    while (true) std::this_thread::sleep_for(std::chrono::seconds(1));
  if (fault == "busy")  // for three times as long as others may stall
    for (auto end = std::chrono::steady_clock::now() + 3 * stall_timeout; std::chrono::steady_clock::now() < end;) {
      runtime.progress().tick();
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
  if (fault == "lonely") runtime.world().barrier();  // while the others reduce
}

void work(Runtime& runtime, const std::string& fault) {
  for (int step = 1; step <= (fault == "busy" ? last_step_of_busy : last_step); ++step) {
    runtime.progress().step(step);
    runtime.progress().region("tenfold::fault::compute");
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    if (step == faulty_step) go_wrong(fault, runtime);
    runtime.progress().region("tenfold::fault::reduce");
    runtime.world().all_reduce_sum(std::int64_t{1});
  }
  say("ended without a fault");
}

}  // namespace

int main(int argc, char** argv) {
  tenfold::Signals signals;
  const bool stoppable = argc > 1 && std::string(argv[1]) == "stoppable";
  signals.start(stoppable ? tenfold::Signals::Meaning::save : tenfold::Signals::Meaning::end);
  return tenfold::run_application(argc, argv, signals, [&](Runtime& runtime) {
    if (argc != 2 && argc != 3) throw InputError("usage: fault_program FAULT [FILE]");
    const tenfold::Watchdog watchdog(runtime, stall_timeout);
    // A file open on all ranks, and something in it, as a checkpoint is while it is written.
    std::optional<tenfold::hdf5::File> file;
    std::optional<tenfold::hdf5::Dataset> values;
    if (argc == 3)
      values = file.emplace(tenfold::hdf5::create_shared(argv[2], runtime.world().native()))
                   .create_dataset<float>("values", {8});
    say(tenfold::text("rank ", runtime.world().rank(), " pid ", getpid()));
    work(runtime, argv[1]);
    return ExitCode::done;
  });
}

// Ranks that work and sum together until rank 1 goes wrong at step 20 in the way the first argument names.
// Sample run: mpirun -n 3 fault_program throw

#include <hdf5.h>
#include <unistd.h>

#include <cstdlib>
#include <exception>
#include <iostream>
#include <optional>
#include <thread>

#include "parallel/agree.hpp"
#include "parallel/runtime.hpp"
#include "parallel/signals.hpp"
#include "parallel/watchdog.hpp"

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

/// An HDF5 file open on all ranks, as a checkpoint is while it is written.
class ParallelFile {
 public:
  explicit ParallelFile(MPI_Comm comm, const std::string& name) {
    TENFOLD_VERIFY(H5dont_atexit() >= 0, "HDF5");  // closing the file at exit() would wait for the other ranks
    const hid_t access = H5Pcreate(H5P_FILE_ACCESS);
    TENFOLD_VERIFY(access >= 0 && H5Pset_fapl_mpio(access, comm, MPI_INFO_NULL) >= 0, "HDF5");
    file_ = H5Fcreate(name.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, access);
    TENFOLD_VERIFY(file_ >= 0 && H5Pclose(access) >= 0, name);
  }
  ~ParallelFile() {
    // Closing is collective: the others may not come.
    if (std::uncaught_exceptions() == 0) H5Fclose(file_);
  }
  ParallelFile(const ParallelFile&) = delete;
  ParallelFile& operator=(const ParallelFile&) = delete;

 private:
  hid_t file_ = -1;
};

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
  if (fault == "lonely") runtime.world().barrier();  // while the others reduce
}

void work(Runtime& runtime, const std::string& fault) {
  for (int step = 1; step <= last_step; ++step) {
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
  return tenfold::run_application(argc, argv, [&](Runtime& runtime) {
    if (argc != 2 && argc != 3) throw InputError("usage: fault_program FAULT [FILE]");
    const tenfold::Watchdog watchdog(runtime.world(), stall_timeout);
    std::optional<tenfold::StopSignals> signals;
    if (std::string(argv[1]) == "stoppable") signals.emplace();
    std::optional<ParallelFile> file;
    if (argc == 3) file.emplace(runtime.world().native(), argv[2]);
    say(tenfold::text("rank ", runtime.world().rank(), " pid ", getpid()));
    work(runtime, argv[1]);
    return ExitCode::done;
  });
}

// `tenfold pretrain`.

#include <csignal>

#include "commands/commands.hpp"
#include "io/hdf5.hpp"
#include "kernels/runtime.hpp"
#include "training/pretraining.hpp"

namespace tenfold {

ExitCode pretrain(const Settings& settings, Runtime& runtime, Device& device) {
  std::signal(SIGPIPE, SIG_IGN);  // a reader that leaves is no reason to end: log.txt has the same words
  Pretraining pretraining(
      settings, runtime, device,
      {{"mpi", Runtime::mpi_version()}, {"hdf5", hdf5::version()}, {"kernels", kernels::library_versions()}});
  return pretraining.run();
}

}  // namespace tenfold

// `tenfold pretrain`.

#include "commands/commands.hpp"
#include "io/hdf5.hpp"
#include "kernels/runtime.hpp"
#include "training/pretraining.hpp"

namespace tenfold {

ExitCode pretrain(const Settings& settings, Runtime& runtime) {
  Pretraining pretraining(
      settings, runtime,
      {{"mpi", Runtime::mpi_version()}, {"hdf5", hdf5::version()}, {"kernels", kernels::library_versions()}});
  return pretraining.run();
}

}  // namespace tenfold

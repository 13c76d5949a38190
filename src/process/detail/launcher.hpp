#pragma once
// Which launcher started this process, and as which of how many tasks, as far as the environment says.

#include <string>

namespace tenfold::detail {

struct Launch {
  std::string variable;  ///< that tells the number of tasks; empty: none, as where a shell started the process
  int tasks = 1;
  int task = 0;
};

/// By the innermost launcher: mpirun of Open MPI, one that speaks PMI (mpiexec of MPICH, srun --mpi=pmi2), srun. Of
/// srun the job step counts, not the job: a batch script and a shell in an allocation are one task. InputError when a
/// number is not one.
Launch find_launch();

/// When a launcher started several tasks and MPI's world has one rank, each of them would take itself for the whole
/// job. The text that says so; empty where all is well.
std::string describe_stray(const Launch& launch, int world_size, const std::string& mpi_version);

}  // namespace tenfold::detail

#include "process/detail/launcher.hpp"

#include <array>
#include <charconv>
#include <cstdlib>
#include <span>
#include <string_view>

#include "base/check.hpp"

namespace tenfold::detail {

namespace {

struct Variables {
  const char* tasks;
  const char* task;
};

/// The innermost first, srun last.
constexpr std::array<Variables, 3> launchers{{{"OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_RANK"},
                                              {"PMI_SIZE", "PMI_RANK"},
                                              {"SLURM_STEP_NUM_TASKS", "SLURM_PROCID"}}};

int number_in(const char* variable) {
  const char* words = std::getenv(variable);
  if (words == nullptr) return 0;
  const std::string_view digits(words);
  int number = 0;
  const auto [end, status] = std::from_chars(digits.begin(), digits.end(), number);
  if (status != std::errc() || end != digits.end())
    throw InputError(text("the environment says ", variable, "=", digits, ", which is no number; unset it"));
  return number;
}

}  // namespace

Launch find_launch() {
  // Under srun --pty stands a person's shell: its commands inherit the number of tasks and are none of them.
  const std::size_t count = launchers.size() - (std::getenv("SLURM_PTY_PORT") == nullptr ? 0 : 1);
  for (const Variables& launcher : std::span(launchers).first(count))
    if (std::getenv(launcher.tasks) != nullptr)
      return {launcher.tasks, number_in(launcher.tasks), number_in(launcher.task)};
  return {};
}

std::string describe_stray(const Launch& launch, int world_size, const std::string& mpi_version) {
  if (world_size != 1 || launch.tasks <= 1) return {};
  return text(launch.tasks, " tasks were started (", launch.variable,
              ") and MPI sees one rank: the launcher and this MPI (", mpi_version,
              ") do not know each other, and each task would take itself for the whole job; start with the ",
              "mpirun of this MPI, or with srun --mpi=pmix (srun --mpi=list names what there is)");
}

}  // namespace tenfold::detail

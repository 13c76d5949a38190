#include "io/detail/job.hpp"

#include <cstdlib>

namespace tenfold::detail {

std::string job_id() {
  for (const char* variable : {"SLURM_JOB_ID", "PBS_JOBID"}) {
    if (const char* value = std::getenv(variable)) return value;
  }
  return "none";
}

}  // namespace tenfold::detail

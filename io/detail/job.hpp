#pragma once
// The batch job that this process belongs to.

#include <string>

namespace tenfold::detail {

/// The batch system's number of this job (Slurm, PBS); "none" outside one.
std::string job_id();

}  // namespace tenfold::detail

#pragma once
// Every MPI call goes through TENFOLD_MPI: its return code becomes an Error with the call's name and MPI's own words.
// In a destructor, which must not throw, through TENFOLD_MPI_RELEASE: the same words, host, process and place go to
// standard error and the process ends with exit code 1, on which the launcher and the watchdogs end the others.

#include <mpi.h>

#include "base/check.hpp"

namespace tenfold::detail {

void check_mpi(int status, const char* call, SourcePlace place = SourcePlace::current());
void release_mpi(int status, const char* call, SourcePlace place = SourcePlace::current()) noexcept;

}  // namespace tenfold::detail

#define TENFOLD_MPI(call) ::tenfold::detail::check_mpi((call), #call)
#define TENFOLD_MPI_RELEASE(call) ::tenfold::detail::release_mpi((call), #call)

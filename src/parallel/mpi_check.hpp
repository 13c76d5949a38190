#pragma once
// Every MPI call goes through TENFOLD_MPI: its return code becomes an Error with the call's name and MPI's own words.

#include <mpi.h>

#include "base/check.hpp"

namespace tenfold::detail {

void check_mpi(int status, const char* call, SourcePlace place = SourcePlace::current());

}  // namespace tenfold::detail

#define TENFOLD_MPI(call) ::tenfold::detail::check_mpi((call), #call)

#pragma once
// Agreement between ranks on local work that can fail (file, memory, parse): no rank goes on to a collective call that
// another has left.

#include <mpi.h>

#include <functional>

namespace tenfold::detail {

/// Throws Error when an MPI call failed: check_mpi(MPI_Barrier(c), "MPI_Barrier").
void check_mpi(int code, const char* call);

int rank_of(MPI_Comm communicator);
int size_of(MPI_Comm communicator);

/// Collective. Runs `work`, which makes no collective call, and returns on all ranks if it succeeded on all; else every
/// rank throws the same Error or InputError: that of the lowest rank that failed.
void agree(MPI_Comm communicator, const std::function<void()>& work);

/// The same for work done by rank 0 alone.
void agree_on_root(MPI_Comm communicator, const std::function<void()>& work);

}  // namespace tenfold::detail

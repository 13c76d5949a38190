#pragma once
// An HDF5 file that ranks share through MPI-IO. Every call here is collective, and so are flush, close and destruction
// of the file, creation of its objects and opening of its data sets; HDF5 reads its own records on one rank for all and
// writes them together. Each rank returns or throws for itself: callers let the ranks agree on the outcome.

#include <mpi.h>

#include <string>

#include "io/hdf5.hpp"

namespace tenfold::hdf5 {

File create_shared(const std::string& path, MPI_Comm ranks);

/// A file of which every rank knows that it may open it (expect_hdf5).
File open_shared(const std::string& path, MPI_Comm ranks, Access access);

}  // namespace tenfold::hdf5

#pragma once
// What a test that runs on several ranks stands on.

#include "parallel/mpi_communicator.hpp"

namespace tenfold::testing {

/// All ranks of the test program.
MpiCommunicator& world();

}  // namespace tenfold::testing

#pragma once
// The elements of a checkpoint's tensors on their way from all ranks into the file.

#include <string>

#include "io/checkpoint.hpp"
#include "parallel/mpi_communicator.hpp"

namespace tenfold {

/// Error unless the pieces of all ranks cover every element of every tensor exactly once: what nobody wrote would be
/// whatever the disk held. Collective.
void expect_full_cover(const CheckpointContent& content, MpiCommunicator& ranks);

/// Writes the pieces of all ranks into the frame at `path`, and closes it. Collective.
void write_elements(const std::string& path, const CheckpointContent& content, MpiCommunicator& ranks);

}  // namespace tenfold

#pragma once
// A group of ranks whose tensors lie on devices.

#include <memory>

#include "base/device.hpp"
#include "parallel/mpi_communicator.hpp"

namespace tenfold {

/// The same ranks as a group of their own that sums device memory by NCCL, each with its device, which must outlive it.
/// InputError on all ranks if this program was built without NCCL, two ranks share a device, or have other versions of
/// NCCL. Collective.
std::unique_ptr<Communicator> make_nccl_communicator(const MpiCommunicator& ranks, Device& device);

/// The same through pinned host memory and MPI (StagedCommunicator).
std::unique_ptr<Communicator> make_staged_communicator(const MpiCommunicator& ranks, Device& device);

/// "NCCL 2.28.3", or empty in a program without it.
std::string nccl_version();

}  // namespace tenfold

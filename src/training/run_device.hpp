#pragma once
// Which device a run uses: decided once, before any work.

#include <memory>

#include "base/device.hpp"
#include "config/settings.hpp"
#include "parallel/mpi_communicator.hpp"

namespace tenfold {

/// run.device, where auto is a GPU if this program has kernels for one and every rank sees one. InputError on all ranks
/// where `cuda` cannot be had. Collective.
RunDevice chosen_device(RunDevice wanted, MpiCommunicator& world);

/// InputError where this program has no kernels for the device that run.device names.
void expect_built_for(RunDevice wanted);

DeviceKind kind_of(RunDevice resolved);

/// This rank's device: of GPUs the one whose number is that of the rank on its node, modulo those that it sees.
/// Collective.
std::unique_ptr<Device> open_device(RunDevice resolved, MpiCommunicator& world);

/// For a table of ranks: name, identity and memory; empty for the host.
std::string description(const Device& device);

/// The data ranks, with sums of tensors of the device by what parallel.communicator says. Collective.
std::unique_ptr<Communicator> communicator_for(Device& device, const Settings& settings, MpiCommunicator& ranks);

}  // namespace tenfold

#include "training/run_device.hpp"

#include "base/host.hpp"
#include "kernels/device.hpp"
#include "parallel/agree.hpp"
#include "parallel/device_communicator.hpp"

namespace tenfold {

void expect_built_for(RunDevice wanted) {
  if (wanted == RunDevice::cuda && !kernels::make_device.implemented(DeviceKind::cuda))
    throw InputError("run.device = cuda, but this program has no kernels for GPUs: build it with the preset cuda");
}

RunDevice chosen_device(RunDevice wanted, MpiCommunicator& world) {
  if (wanted == RunDevice::host) return wanted;
  const bool built = kernels::make_device.implemented(DeviceKind::cuda);
  if (wanted == RunDevice::auto_ && !built) return RunDevice::host;
  const std::int64_t count = agree(world, [&]() -> std::int64_t {
    expect_built_for(wanted);
    try {
      return kernels::count_devices(DeviceKind::cuda);
    } catch (const Error& error) {
      if (wanted == RunDevice::auto_) return 0;
      throw InputError(text("run.device = cuda, but host ", host_name(), " cannot use a GPU: ", error.what()));
    }
  });
  if (world.all_reduce_min(count) > 0) return RunDevice::cuda;
  if (wanted == RunDevice::auto_) return RunDevice::host;
  const std::int64_t most = world.all_reduce_max(count);
  agree(world, [&] {
    if (count == 0)
      throw InputError(text("run.device = cuda, but host ", host_name(),
                            " shows this rank no GPU, or has no driver for it",
                            most == 0 ? "" : ", and others see some",
                            "; give every rank one (srun --gpus-per-task=1), or run.device=host"));
  });
  return RunDevice::cuda;
}

DeviceKind kind_of(RunDevice resolved) {
  return resolved == RunDevice::cuda ? DeviceKind::cuda : DeviceKind::host;
}

std::unique_ptr<Device> open_device(RunDevice resolved, MpiCommunicator& world) {
  const DeviceKind kind = kind_of(resolved);
  const int number = world.split_node().rank();
  return agree(world, [&] { return kernels::make_device(kind, number % kernels::count_devices(kind)); });
}

std::string description(const Device& device) {
  const DeviceFacts facts = device.facts();
  return facts.name.empty() ? "" : text(facts.name, ", ", facts.memory >> 30, " GiB, ", facts.identity);
}

std::unique_ptr<Communicator> communicator_for(Device& device, const Settings& settings, MpiCommunicator& ranks) {
  const CommunicatorKind kind = settings.parallel.communicator;
  if (device.kind() == DeviceKind::host) {
    if (kind == CommunicatorKind::nccl)
      throw InputError(
          "parallel.communicator = nccl sums memory of GPUs, and this run is on the host: use mpi or auto");
    return ranks.duplicate();
  }
  return kind == CommunicatorKind::mpi ? make_staged_communicator(ranks, device)
                                       : make_nccl_communicator(ranks, device);
}

}  // namespace tenfold

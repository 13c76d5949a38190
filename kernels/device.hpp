#pragma once
// The devices that this build has kernels for.

#include <memory>
#include <string>

#include "base/device.hpp"
#include "kernels/op.hpp"

namespace tenfold::kernels {

/// The libraries of a kind of GPU by name and version: "CUDA 13.0, cuBLASLt 13.1.0".
inline constinit Op<std::string(DeviceKind kind)> device_libraries("libraries");

/// How many devices of the kind this process sees.
inline constinit Op<int(DeviceKind kind)> count_devices("count_devices");

/// Instead of a number: a device that only plans, for which nothing is opened and whose memory must not be taken.
inline constexpr int no_device = -1;

/// That of number `ordinal`, which this thread uses from now on. Throws Error where the build has no such kind.
inline constinit Op<std::unique_ptr<Device>(DeviceKind kind, int ordinal)> make_device("device");

}  // namespace tenfold::kernels

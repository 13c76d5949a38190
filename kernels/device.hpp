#pragma once
// The devices that this build has kernels for.

#include <memory>

#include "base/device.hpp"
#include "kernels/op.hpp"

namespace tenfold::kernels {

/// How many devices of the kind this process sees.
inline constinit Op<int(DeviceKind kind)> count_devices("count_devices");

/// That of number `ordinal`. Throws Error where the build has no such kind.
inline constinit Op<std::unique_ptr<Device>(DeviceKind kind, int ordinal)> make_device("device");

}  // namespace tenfold::kernels

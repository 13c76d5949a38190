#pragma once
// The devices that this build has kernels for.

#include <memory>

#include "base/device.hpp"

namespace tenfold::kernels {

/// Throws Error where the build has no such device.
std::unique_ptr<Device> make_device(DeviceKind kind);

}  // namespace tenfold::kernels

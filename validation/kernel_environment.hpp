#pragma once
// What tests that compute stand on: the kernel libraries, started once for a whole test program, and its device.

#include <gtest/gtest.h>

#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "kernels/device.hpp"
#include "kernels/runtime.hpp"

namespace tenfold::testing {

/// TENFOLD_TEST_DEVICE, "host" or "cuda".
inline DeviceKind device_kind() {
  const char* name = std::getenv("TENFOLD_TEST_DEVICE");
  return name != nullptr && std::string(name) == "cuda" ? DeviceKind::cuda : DeviceKind::host;
}

/// Starts them with TENFOLD_TEST_THREADS threads, or one. Skips all tests where there is no such device.
class KernelEnvironment : public ::testing::Environment {
 public:
  void SetUp() override {
    const char* threads = std::getenv("TENFOLD_TEST_THREADS");
    runtime_ = std::make_unique<kernels::Runtime>(threads == nullptr ? 1 : std::atoi(threads));
    if (kernels::count_devices(device_kind()) == 0) GTEST_SKIP() << "there is no GPU";
  }
  void TearDown() override { runtime_.reset(); }

 private:
  std::unique_ptr<kernels::Runtime> runtime_;
};
inline ::testing::Environment* const kernel_environment = ::testing::AddGlobalTestEnvironment(new KernelEnvironment);

inline Device& device() {
  static const std::unique_ptr<Device> device = kernels::make_device(device_kind(), 0);
  return *device;
}

/// The values of a tensor, in host memory.
template <class T = float>
std::vector<T> read(Queue& queue, const Tensor& tensor) {
  TENFOLD_VERIFY(tensor.dtype() == dtype_of<T>(), "a tensor of ", name_of(tensor.dtype()));
  std::vector<T> values(static_cast<std::size_t>(tensor.elements()));
  queue.copy_out(tensor, values.data());
  return values;
}

}  // namespace tenfold::testing

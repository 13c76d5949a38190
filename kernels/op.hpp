#pragma once
// An op: one name for a kernel on every device. A call goes to the implementation for the device of its first argument,
// a queue or a DeviceKind. Each device's file states what it implements, in a line an op:
//
//   const Implementation gelu_forward_on_host{gelu_forward, DeviceKind::host, host::gelu_forward};

#include <array>
#include <cstddef>
#include <utility>

#include "base/queue.hpp"

namespace tenfold::kernels {

template <class Signature>
class Op;

template <class Result, class... Arguments>
class Op<Result(Arguments...)> {
 public:
  using Function = Result (*)(Arguments...);

  constexpr explicit Op(const char* name) : name_(name) {}
  Op(const Op&) = delete;
  Op& operator=(const Op&) = delete;

  /// Throws Error where the build has no implementation for the device.
  Result operator()(Arguments... arguments) const {
    const DeviceKind device = device_of(arguments...);
    const Function function = functions_[static_cast<std::size_t>(device)];
    if (function == nullptr)
      throw Error(text("this build has no ", name_, " for ", device == DeviceKind::host ? "the host" : "CUDA"));
    return function(std::forward<Arguments>(arguments)...);
  }

  bool implemented(DeviceKind device) const { return functions_[static_cast<std::size_t>(device)] != nullptr; }

  /// Before main, by Implementation alone.
  void implement(DeviceKind device, Function function) { functions_[static_cast<std::size_t>(device)] = function; }

 private:
  template <class... Rest>
  static DeviceKind device_of(const Queue& queue, const Rest&... /*rest*/) {
    return queue.device();
  }
  template <class... Rest>
  static DeviceKind device_of(DeviceKind device, const Rest&... /*rest*/) {
    return device;
  }

  const char* name_;
  std::array<Function, 2> functions_{};  ///< by DeviceKind
};

/// States that a function implements an op for a device.
struct Implementation {
  template <class Signature>
  Implementation(Op<Signature>& op, DeviceKind device, Signature* function) {
    op.implement(device, function);
  }
};

}  // namespace tenfold::kernels

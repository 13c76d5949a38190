#pragma once
// Operands of another device copied to the host, for ops whose results are the same numbers on every device.

#include "op_test.hpp"

namespace tenfold::test {

class HostTwin {
 public:
  explicit HostTwin(Queue& other) : other_(other) {}

  Queue& queue() { return *queue_; }

  Tensor operator()(const Tensor& tensor) {
    const Tensor twin = arena_.allocate(tensor.dtype(), tensor.shape());
    std::vector<std::byte> bytes(tensor.bytes());
    if (bytes.empty()) return twin;
    other_.copy_out(tensor, bytes.data());
    queue_->copy_in(bytes.data(), twin);
    return twin;
  }
  kernels::PackedRows operator()(const kernels::PackedRows& rows) {
    return {(*this)(rows.offsets), (*this)(rows.sequence), (*this)(rows.samples)};
  }

 private:
  Queue& other_;
  std::unique_ptr<Device> device_ = kernels::make_device(DeviceKind::host, 0);
  std::unique_ptr<Queue> queue_ = device_->make_queue();
  Arena arena_{*device_};
};

}  // namespace tenfold::test

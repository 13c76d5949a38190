// The host as a device: memory is memory, and work is done when it is issued.

#include "kernels/device.hpp"

#include <sys/mman.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "kernels/linear.hpp"

namespace tenfold::kernels {
namespace {

class HostEvent final : public Event {
 public:
  bool done() const override { return true; }
};

class HostQueue final : public Queue {
 public:
  HostQueue() : Queue(DeviceKind::host) {}
  void copy_in(const void* host, const Tensor& destination) override {
    std::memcpy(destination.raw(), host, destination.bytes());
  }
  void start_copy_in(const void* host, const Tensor& destination) override { copy_in(host, destination); }
  void copy_out(const Tensor& source, void* host) override { std::memcpy(host, source.raw(), source.bytes()); }
  void start_copy_out(const Tensor& source, void* host) override { copy_out(source, host); }
  void clear(const Tensor& tensor) override { std::memset(tensor.raw(), 0, tensor.bytes()); }
  void record(Event& /*event*/) override {}
  void wait(const Event& /*event*/) override {}
  void synchronize() override {}
};

#ifdef __SANITIZE_ADDRESS__
std::byte* take(std::size_t bytes) {
  constexpr std::size_t line = 64;
  auto* memory = static_cast<std::byte*>(std::aligned_alloc(line, (bytes + line - 1) / line * line));
  if (memory != nullptr) std::memset(memory, 0, bytes);
  return memory;
}
void give_back(std::byte* first, std::size_t /*bytes*/) noexcept {
  std::free(first);
}
#else
/// Huge pages, where the system has them: many kernels read with long strides, and every small page would cost them a
/// look-up. What is never touched takes no memory.
std::byte* take(std::size_t bytes) {
  constexpr std::size_t page = std::size_t{2} << 20U;
  void* memory = mmap(nullptr, bytes + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return nullptr;
  auto* first = static_cast<std::byte*>(memory);
  const std::size_t before = (page - reinterpret_cast<std::uintptr_t>(memory) % page) % page;
  if (before > 0) munmap(first, before);
  if (before < page) munmap(first + before + bytes, page - before);
  madvise(first + before, bytes, MADV_HUGEPAGE);  // a wish: without it the program is only slower
  return first + before;
}
void give_back(std::byte* first, std::size_t bytes) noexcept {
  munmap(first, bytes);
}
#endif

class HostDevice final : public Device {
 public:
  DeviceKind kind() const override { return DeviceKind::host; }
  DeviceFacts facts() const override { return {.name = {}, .identity = {}, .yardstick = 2048}; }
  std::byte* allocate(MemoryKind /*memory*/, std::size_t bytes) override { return take(bytes); }
  void release(MemoryKind /*memory*/, std::byte* first, std::size_t bytes) noexcept override {
    give_back(first, bytes);
  }
  std::unique_ptr<Queue> make_queue() override { return std::make_unique<HostQueue>(); }
  std::unique_ptr<Event> make_event() override { return std::make_unique<HostEvent>(); }
  std::int64_t computed_rows(std::int64_t used, std::int64_t rows) const override {
    return std::min(rows, std::max((used + row_block - 1) / row_block, std::int64_t{1}) * row_block);
  }
};

}  // namespace

namespace host {

std::unique_ptr<Device> make_device(DeviceKind /*kind*/, int /*ordinal*/) {
  return std::make_unique<HostDevice>();
}

int count_devices(DeviceKind /*kind*/) {
  return 1;
}

}  // namespace host

const Implementation make_device_on_host{make_device, DeviceKind::host, host::make_device};
const Implementation count_devices_on_host{count_devices, DeviceKind::host, host::count_devices};

}  // namespace tenfold::kernels

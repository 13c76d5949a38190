#pragma once
// What computes: memory, and queues of ordered work. Which device a run uses is decided once; the host's stands in
// kernels/host.

#include <cstddef>
#include <memory>
#include <string>

#include "base/queue.hpp"

namespace tenfold {

/// Where memory lies: on the device, or in host memory that the device can copy from and to while the host goes on.
enum class MemoryKind { device, pinned };

/// What a table of ranks and a plan want to know of a device.
struct DeviceFacts {
  std::string name;                          ///< empty: the host
  std::string identity;                      ///< the same for all processes that use it, and no other device's
  std::int64_t memory = 0, free_memory = 0;  ///< bytes; of the host 0: it has a plan of its own
  std::int64_t yardstick = 0;                ///< extent of a square matrix whose product keeps all of it busy
};

class Device {
 public:
  virtual ~Device() = default;
  virtual DeviceKind kind() const = 0;
  virtual DeviceFacts facts() const = 0;

  /// Zeroed memory, aligned to 64 bytes; null where it cannot be had.
  virtual std::byte* allocate(MemoryKind memory, std::size_t bytes) = 0;
  virtual void release(MemoryKind memory, std::byte* first, std::size_t bytes) noexcept = 0;

  virtual std::unique_ptr<Queue> make_queue() = 0;
  virtual std::unique_ptr<Event> make_event() = 0;

  /// How many rows are worked on where `used` of a budget of `rows` are in use: kernels want whole blocks.
  virtual std::int64_t computed_rows(std::int64_t used, std::int64_t rows) const = 0;
};

}  // namespace tenfold

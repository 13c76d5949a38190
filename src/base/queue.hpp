#pragma once
// Work is issued on a queue: a stream on a GPU, immediate on the host. Every kernel announces itself with a label,
// which is what profilers, the watchdog ("who stood where") and the polling of outstanding communication hang on.

#include <functional>

#include "base/tensor.hpp"

namespace tenfold {

class Queue {
 public:
  explicit Queue(DeviceKind device = DeviceKind::host) : device_(device) {}
  Queue(const Queue&) = delete;
  Queue& operator=(const Queue&) = delete;

  DeviceKind device() const { return device_; }

  /// Called with the label of every kernel as it starts (begin = true) and ends (false); labels are string literals.
  using Observer = std::function<void(const char* label, bool begin)>;
  void observe(Observer observer) { observer_ = std::move(observer); }

  /// The same for all queues of the process, where a profiler listens (kernels::Runtime sets it).
  inline static void (*profiler)(const char* label, bool begin) = nullptr;

  /// Bytes from host memory to a tensor and back; returns when the destination may be read by the host.
  void copy_in(const void* host, const Tensor& destination);
  void copy_out(const Tensor& source, void* host);
  /// Where the host may read a tensor until it next changes: its own memory, if the host sees that.
  const void* in_host_memory(const Tensor& source) const { return source.raw(); }
  /// All bytes zero.
  void clear(const Tensor& tensor);

  /// Marks a kernel or region: Region region(queue, "tenfold::gelu::forward");
  class Region {
   public:
    Region(Queue& queue, const char* label);
    ~Region();
    Region(const Region&) = delete;
    Region& operator=(const Region&) = delete;

   private:
    Queue& queue_;
    const char* label_;
  };

 private:
  Observer observer_;
  DeviceKind device_;
};

}  // namespace tenfold

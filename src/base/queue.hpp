#pragma once
// Work is issued on a queue: a stream on a GPU, immediate on the host. Every kernel announces itself with a label,
// which is what profilers, the watchdog ("who stood where") and the polling of outstanding communication hang on.

#include <functional>

#include "base/tensor.hpp"

namespace tenfold {

class Profile;

/// A point in a queue's work.
class Event {
 public:
  virtual ~Event() = default;
  /// Whether the work before it is done.
  virtual bool done() const = 0;
};

class Queue {
 public:
  virtual ~Queue() = default;
  Queue(const Queue&) = delete;
  Queue& operator=(const Queue&) = delete;

  DeviceKind device() const { return device_; }

  /// What libraries take for it: a CUDA stream; null on the host.
  virtual void* native() { return nullptr; }

  /// Called with the label, a string literal, of every region as it begins; it may throw.
  using Observer = std::function<void(const char* label)>;
  void observe(Observer observer) { observer_ = std::move(observer); }
  /// From now on the time of every region, and of the observer, is booked there; null: nowhere.
  void book(Profile* profile) { profile_ = profile; }
  /// A profiler of the whole process, where one listens (kernels::Runtime sets it). Must not throw.
  inline static void (*profiler)(const char* label, bool begin) = nullptr;

  /// Bytes from host memory to a tensor; `host` may be changed when the call returns.
  virtual void copy_in(const void* host, const Tensor& destination) = 0;
  /// The same, but `host` is pinned and must stay until the queue has come so far.
  virtual void start_copy_in(const void* host, const Tensor& destination) = 0;
  /// Bytes of a tensor to host memory; there when the call returns.
  virtual void copy_out(const Tensor& source, void* host) = 0;
  /// The same, but `host` is pinned and is written by when the queue has come so far.
  virtual void start_copy_out(const Tensor& source, void* host) = 0;
  /// All bytes zero.
  virtual void clear(const Tensor& tensor) = 0;

  /// Marks what has been issued so far; lets later work of this queue wait for another's event; waits for all work.
  virtual void record(Event& event) = 0;
  virtual void wait(const Event& event) = 0;
  virtual void synchronize() = 0;

  /// Marks a kernel or region: Region region(queue, "tenfold::gelu::forward"). Its end neither throws nor communicates.
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

 protected:
  explicit Queue(DeviceKind device) : device_(device) {}

 private:
  void begin(const char* label);
  void end(const char* label) noexcept;

  Observer observer_;
  Profile* profile_ = nullptr;
  DeviceKind device_;
};

}  // namespace tenfold

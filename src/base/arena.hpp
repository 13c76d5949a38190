#pragma once
// Memory of a device, laid out once before step 0. A planning arena only counts, so that `tenfold plan` can say what a
// run will take without taking it.

#include <cstddef>
#include <memory>

#include "base/tensor.hpp"

namespace tenfold {

class Arena {
 public:
  enum class Mode { allocate, plan };

  explicit Arena(DeviceKind device, Mode mode = Mode::allocate);
  ~Arena();
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;

  /// A zeroed tensor that lives as long as the arena, aligned to 64 bytes (a null view of that shape when planning).
  /// Throws Error when the memory cannot be had.
  Tensor allocate(DType type, Shape shape);

  /// Bytes handed out so far.
  std::size_t bytes() const { return bytes_; }
  DeviceKind device() const { return device_; }

 private:
  struct Slabs;
  std::unique_ptr<Slabs> slabs_;
  std::size_t bytes_ = 0;
  DeviceKind device_;
  Mode mode_;
};

}  // namespace tenfold

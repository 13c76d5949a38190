#pragma once
// Memory of a device, laid out once before step 0. A planning arena only counts, so that `tenfold plan` can say what a
// run will take without taking it.

#include <cstddef>
#include <vector>

#include "base/device.hpp"
#include "base/tensor.hpp"

namespace tenfold {

class Arena {
 public:
  enum class Mode { allocate, plan };

  /// `device` must outlive the arena.
  explicit Arena(Device& device, MemoryKind memory = MemoryKind::device, Mode mode = Mode::allocate)
      : device_(device), memory_(memory), mode_(mode) {}
  ~Arena();
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;

  /// A zeroed tensor that lives as long as the arena, aligned to 64 bytes (a null view of that shape when planning).
  /// Throws Error when the memory cannot be had.
  Tensor allocate(DType type, Shape shape);

  /// Bytes handed out so far.
  std::size_t bytes() const { return bytes_; }
  bool planning() const { return mode_ == Mode::plan; }
  Device& device() const { return device_; }

 private:
  /// Tensors lie one after another in slabs.
  struct Slab {
    std::byte* memory;
    std::size_t size, used;
  };
  std::byte* take(std::size_t bytes);

  Device& device_;
  MemoryKind memory_;
  Mode mode_;
  std::vector<Slab> slabs_;
  std::size_t bytes_ = 0;
};

}  // namespace tenfold

#include "base/arena.hpp"

#include <algorithm>
#include <utility>

namespace tenfold {

namespace {
constexpr std::size_t alignment = 64;
#ifdef __SANITIZE_ADDRESS__
constexpr std::size_t slab_bytes = 0;  // every tensor between red zones of its own
#else
constexpr std::size_t slab_bytes = std::size_t{64} << 20U;
#endif

std::size_t whole_lines(std::size_t bytes) {
  return (bytes + alignment - 1) / alignment * alignment;
}
}  // namespace

Arena::~Arena() {
  for (const Slab& slab : slabs_) device_.release(memory_, slab.memory, slab.size);
}

std::byte* Arena::take(std::size_t bytes) {
  auto slab = std::ranges::find_if(slabs_, [&](const Slab& s) { return s.size - s.used >= bytes; });
  if (slab == slabs_.end()) {
    const std::size_t size = std::max(slab_bytes, bytes);
    slabs_.reserve(slabs_.size() + 1);
    std::byte* memory = device_.allocate(memory_, size);
    if (memory == nullptr) return nullptr;
    slabs_.push_back({memory, size, 0});
    slab = slabs_.end() - 1;
  }
  return slab->memory + std::exchange(slab->used, slab->used + bytes);
}

Tensor Arena::allocate(DType type, Shape shape) {
  const std::size_t bytes = whole_lines(static_cast<std::size_t>(shape.elements()) * size_of(type));
  const DeviceKind where = memory_ == MemoryKind::pinned ? DeviceKind::host : device_.kind();
  bytes_ += bytes;
  if (planning() || bytes == 0) return {nullptr, type, shape, where};
  std::byte* block = take(bytes);
  if (block == nullptr)
    throw Error(text("cannot allocate ", bytes, " bytes (", bytes_,
                     " so far); lower data.micro_batch or the model's size, or use more ranks"));
  return {block, type, shape, where};
}

}  // namespace tenfold

#include "base/arena.hpp"

#include <sys/mman.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <utility>
#include <vector>

namespace tenfold {

namespace {
constexpr std::size_t alignment = 64;
#ifdef __SANITIZE_ADDRESS__
constexpr std::size_t page = alignment, slab_bytes = 0;  // every tensor between red zones of its own
#else
constexpr std::size_t page = std::size_t{2} << 20U, slab_bytes = 32 * page;
#endif

struct Release {
  void operator()(std::byte* block) const { std::free(block); }
};

std::size_t round_up(std::size_t bytes, std::size_t unit) {
  return (bytes + unit - 1) / unit * unit;
}
}  // namespace

/// Tensors lie one after another in slabs of huge pages, where the system has them: many kernels read with long
/// strides, and every small page would cost them a look-up. What is never handed out is never touched, so takes no
/// memory.
struct Arena::Slabs {
  struct Slab {
    std::unique_ptr<std::byte, Release> memory;
    std::byte* free;
    std::size_t left;
  };
  std::vector<Slab> slabs;

  /// Null where the memory cannot be had.
  std::byte* take(std::size_t bytes) {
    auto slab = std::find_if(slabs.begin(), slabs.end(), [&](const Slab& s) { return s.left >= bytes; });
    if (slab == slabs.end()) {
      const std::size_t size = round_up(std::max(slab_bytes, bytes), page);
      auto* memory = static_cast<std::byte*>(std::aligned_alloc(page, size));
      if (memory == nullptr) return nullptr;
      madvise(memory, size, MADV_HUGEPAGE);  // a wish: without it the program is only slower
      slab = slabs.insert(slab, Slab{std::unique_ptr<std::byte, Release>(memory), memory, size});
    }
    slab->left -= bytes;
    std::memset(slab->free, 0, bytes);
    return std::exchange(slab->free, slab->free + bytes);
  }
};

Arena::Arena(DeviceKind device, Mode mode) : slabs_(std::make_unique<Slabs>()), device_(device), mode_(mode) {
  TENFOLD_VERIFY(device == DeviceKind::host, "only the host has an arena in this build");
}

Arena::~Arena() = default;

Tensor Arena::allocate(DType type, Shape shape) {
  const std::size_t bytes = round_up(static_cast<std::size_t>(shape.elements()) * size_of(type), alignment);
  bytes_ += bytes;
  if (mode_ == Mode::plan || bytes == 0) return {nullptr, type, shape, device_};
  std::byte* block = slabs_->take(bytes);
  if (block == nullptr)
    throw Error(text("cannot allocate ", bytes, " bytes (", bytes_, " so far): ", std::strerror(errno),
                     "; lower data.micro_batch or the model's size, or use more ranks"));
  return {block, type, shape, device_};
}

}  // namespace tenfold

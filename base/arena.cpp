#include "base/arena.hpp"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <vector>

namespace tenfold {

namespace {
constexpr std::size_t alignment = 64;

struct Release {
  void operator()(void* block) const { std::free(block); }
};
}  // namespace

struct Arena::Blocks {
  std::vector<std::unique_ptr<void, Release>> owned;
};

Arena::Arena(DeviceKind device, Mode mode) : blocks_(std::make_unique<Blocks>()), device_(device), mode_(mode) {
  TENFOLD_VERIFY(device == DeviceKind::host, "only the host has an arena in this build");
}

Arena::~Arena() = default;

Tensor Arena::allocate(DType type, Shape shape) {
  const std::size_t wanted = static_cast<std::size_t>(shape.elements()) * size_of(type);
  const std::size_t bytes = (wanted + alignment - 1) / alignment * alignment;
  bytes_ += bytes;
  if (mode_ == Mode::plan) return {nullptr, type, shape, device_};
  void* block = bytes == 0 ? nullptr : std::aligned_alloc(alignment, bytes);
  if (bytes != 0 && block == nullptr)
    throw Error(text("cannot allocate ", bytes, " bytes (", bytes_, " so far): ", std::strerror(errno),
                     "; lower data.micro_batch or the model's size, or use more ranks"));
  if (block != nullptr) std::memset(block, 0, bytes);
  blocks_->owned.emplace_back(block);
  return {block, type, shape, device_};
}

}  // namespace tenfold

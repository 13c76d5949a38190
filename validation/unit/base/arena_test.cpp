#include "base/arena.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "kernels/device.hpp"

namespace tenfold {
namespace {

constexpr std::int64_t mebi = 1 << 20;

/// Small and large in turn, some larger than any slab, so that later ones go back to slabs with room.
const std::vector<std::int64_t> sizes = {1,          64,       65, 40 * mebi, 3,         30 * mebi,
                                         100 * mebi, 5 * mebi, 63, 70 * mebi, 20 * mebi, 4096,
                                         2 * mebi,   1 * mebi, 17, 60 * mebi, 1000};

class ArenaTest : public ::testing::Test {
 protected:
  std::vector<std::uint8_t> read(const Tensor& tensor) {
    std::vector<std::uint8_t> bytes(tensor.bytes());
    queue_->copy_out(tensor, bytes.data());
    return bytes;
  }
  void fill(const Tensor& tensor, std::uint8_t value) {
    queue_->copy_in(std::vector<std::uint8_t>(tensor.bytes(), value).data(), tensor);
  }
  static bool all_are(const std::vector<std::uint8_t>& bytes, std::uint8_t value) {
    return std::ranges::all_of(bytes, [value](std::uint8_t byte) { return byte == value; });
  }

  std::unique_ptr<Device> device_ = kernels::make_device(DeviceKind::host, 0);
  std::unique_ptr<Queue> queue_ = device_->make_queue();
};

TEST_F(ArenaTest, TensorsAreZeroedAlignedAndTheirOwn) {
  Arena arena(*device_);
  std::vector<Tensor> tensors;
  for (const std::int64_t size : sizes) {
    const Tensor tensor = arena.allocate(DType::u8, {size});
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(tensor.raw()) % 64, 0U);
    EXPECT_EQ(tensor.device(), device_->kind());
    EXPECT_TRUE(all_are(read(tensor), 0)) << size;
    fill(tensor, static_cast<std::uint8_t>(tensors.size() + 1));
    tensors.push_back(tensor);
  }
  for (std::size_t i = 0; i < tensors.size(); ++i)
    EXPECT_TRUE(all_are(read(tensors[i]), static_cast<std::uint8_t>(i + 1))) << i;
}

TEST_F(ArenaTest, PinnedMemoryIsTheHosts) {
  Arena arena(*device_, MemoryKind::pinned);
  const Tensor tensor = arena.allocate(DType::i64, {3, 5});
  EXPECT_EQ(tensor.device(), DeviceKind::host);
  EXPECT_EQ(tensor.data<std::int64_t>()[14], 0);
}

TEST_F(ArenaTest, PlanningCountsTheSameAndTakesNothing) {
  Arena real(*device_), plan(*device_, MemoryKind::device, Arena::Mode::plan);
  EXPECT_TRUE(plan.planning());
  for (const std::int64_t size : sizes) {
    real.allocate(DType::u8, {size});
    const Tensor planned = plan.allocate(DType::u8, {size});
    EXPECT_EQ(planned.raw(), nullptr);
    EXPECT_EQ(planned.shape(), Shape{size});
    EXPECT_EQ(plan.bytes(), real.bytes());
  }
  plan.allocate(DType::u8, {std::int64_t{1} << 60});
}

TEST_F(ArenaTest, WhatCannotBeHadIsAnError) {
  Arena arena(*device_);
  EXPECT_THROW(arena.allocate(DType::u8, {std::int64_t{1} << 60}), Error);
  EXPECT_EQ(arena.allocate(DType::u8, {0}).bytes(), 0U);
  const Tensor after = arena.allocate(DType::u8, {100});
  EXPECT_TRUE(all_are(read(after), 0)) << "an arena that once had no memory goes on";
}

}  // namespace
}  // namespace tenfold

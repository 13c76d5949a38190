#include "base/arena.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

namespace tenfold {
namespace {

constexpr std::int64_t mebi = 1 << 20;

/// Small and large in turn, some larger than any slab, so that later ones go back to slabs with room.
const std::vector<std::int64_t> sizes = {1,          64,       65, 40 * mebi, 3,         30 * mebi,
                                         100 * mebi, 5 * mebi, 63, 70 * mebi, 20 * mebi, 4096,
                                         2 * mebi,   1 * mebi, 17, 60 * mebi, 1000};

std::span<std::uint8_t> bytes_of(const Tensor& tensor) {
  return {tensor.data<std::uint8_t>(), static_cast<std::size_t>(tensor.elements())};
}

TEST(Arena, TensorsAreZeroedAlignedAndTheirOwn) {
  Arena arena(DeviceKind::host);
  std::vector<Tensor> tensors;
  for (const std::int64_t size : sizes) {
    const Tensor tensor = arena.allocate(DType::u8, {size});
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(tensor.raw()) % 64, 0U);
    EXPECT_TRUE(std::ranges::all_of(bytes_of(tensor), [](std::uint8_t byte) { return byte == 0; })) << size;
    std::ranges::fill(bytes_of(tensor), static_cast<std::uint8_t>(tensors.size() + 1));
    tensors.push_back(tensor);
  }
  for (std::size_t i = 0; i < tensors.size(); ++i)
    EXPECT_TRUE(std::ranges::all_of(bytes_of(tensors[i]), [&](std::uint8_t byte) { return byte == i + 1; })) << i;
}

TEST(Arena, PlanningCountsTheSameAndTakesNothing) {
  Arena real(DeviceKind::host), plan(DeviceKind::host, Arena::Mode::plan);
  for (const std::int64_t size : sizes) {
    real.allocate(DType::u8, {size});
    EXPECT_EQ(plan.allocate(DType::u8, {size}).raw(), nullptr);
    EXPECT_EQ(plan.bytes(), real.bytes());
  }
  plan.allocate(DType::u8, {std::int64_t{1} << 60});
}

TEST(Arena, WhatCannotBeHadIsAnError) {
  Arena arena(DeviceKind::host);
  EXPECT_THROW(arena.allocate(DType::u8, {std::int64_t{1} << 60}), Error);
  EXPECT_EQ(arena.allocate(DType::u8, {0}).bytes(), 0U);
}

}  // namespace
}  // namespace tenfold

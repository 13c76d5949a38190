#include "kernels/device.hpp"

#include <algorithm>

#include "kernels/elementwise.hpp"
#include "op_test.hpp"

namespace tenfold::test {
namespace {

class DeviceTest : public OpTest {
 protected:
  Arena pinned_{*device_, MemoryKind::pinned};
};
TENFOLD_F32(DeviceTest);

TEST_P(DeviceTest, IsOfTheKindThatWasAskedFor) {
  EXPECT_EQ(device_->kind(), GetParam().device);
  EXPECT_EQ(queue_.device(), GetParam().device);
}

TEST_P(DeviceTest, MemoryIsAlignedAndComesBackZeroed) {
  constexpr std::int64_t bytes = 3 << 20;
  for (const MemoryKind kind : {MemoryKind::device, MemoryKind::pinned})
    for (int again = 0; again < 3; ++again) {
      std::byte* memory = device_->allocate(kind, bytes);
      ASSERT_NE(memory, nullptr);
      EXPECT_EQ(reinterpret_cast<std::uintptr_t>(memory) % 64, 0U);
      const Tensor tensor(memory, DType::u8, {bytes},
                          kind == MemoryKind::pinned ? DeviceKind::host : GetParam().device);
      EXPECT_EQ(read(tensor), Values(std::size_t{bytes}));
      queue_.copy_in(std::vector<std::uint8_t>(bytes, 7).data(), tensor);
      queue_.synchronize();
      device_->release(kind, memory, bytes);
    }
}

TEST_P(DeviceTest, MemoryThatCannotBeHadIsNull) {
  for (const MemoryKind kind : {MemoryKind::device, MemoryKind::pinned})
    EXPECT_EQ(device_->allocate(kind, std::size_t{1} << 60U), nullptr);
}

TEST_P(DeviceTest, CopiesArriveAndTouchNothingElse) {
  const Tensor tensor = poisoned({5, 300});
  const Values expected = normal(300);
  std::vector<float> host(expected.begin(), expected.end());
  queue_.copy_in(host.data(), tensor.rows(2, 1));
  std::ranges::fill(host, 0.0F);  // the caller's again as soon as the call returns
  const Values all = read(tensor), poison = read(poisoned({1, 300}));
  for (std::int64_t row = 0; row < 5; ++row) {
    const Values stored(all.begin() + row * 300, all.begin() + (row + 1) * 300);
    if (row != 2)
      EXPECT_EQ(stored, poison) << "row " << row;
    else
      expect_close(stored, expected, 1e-7);
  }
  queue_.clear(tensor.rows(1, 3));
  for (std::int64_t row = 0; row < 5; ++row)
    EXPECT_EQ(read(tensor.rows(row, 1)), row == 0 || row == 4 ? poison : Values(300)) << "row " << row;
}

TEST_P(DeviceTest, StartedCopiesKeepTheOrderOfTheQueue) {
  const Tensor source = pinned_.allocate(DType::f32, {4000}), result = pinned_.allocate(DType::f32, {4000});
  const Tensor tensor = zeros({4000}), total = zeros({4000});
  std::ranges::fill(std::span(source.data<float>(), 4000), 3.0F);
  queue_.start_copy_in(source.raw(), tensor);
  kernels::add(queue_, tensor, total);
  kernels::add(queue_, tensor, total);
  queue_.start_copy_out(total, result.raw());
  const std::unique_ptr<Event> event = device_->make_event();
  queue_.record(*event);
  queue_.synchronize();
  EXPECT_TRUE(event->done());
  const std::span<const float> values(result.data<float>(), 4000);
  EXPECT_TRUE(std::ranges::all_of(values, [](float value) { return value == 6; }));
}

TEST_P(DeviceTest, AQueueWaitsForTheEventOfAnother) {
  const std::unique_ptr<Queue> other = device_->make_queue();
  const std::unique_ptr<Event> event = device_->make_event();
  const Tensor values = zeros({1'000'000}), total = zeros({1'000'000});
  kernels::fill(queue_, 2, values);
  queue_.record(*event);
  other->wait(*event);
  kernels::add(*other, values, total);
  other->synchronize();
  EXPECT_EQ(read(total), Values(1'000'000, 2));
}

TEST_P(DeviceTest, ComputedRowsHoldThoseInUseAndKeepToTheBudget) {
  for (const std::int64_t budget : {1, 63, 64, 100, 4096})
    for (std::int64_t used = 0; used <= budget; used += 1 + used / 7) {
      const std::int64_t rows = device_->computed_rows(used, budget);
      EXPECT_GE(rows, std::max<std::int64_t>(used, 1));
      EXPECT_LE(rows, budget);
      EXPECT_TRUE(rows == budget || rows % kernels::row_block == 0) << rows << " of " << budget;
    }
  EXPECT_LT(device_->computed_rows(1, 4096), 4096) << "what is not in use is not worked on";
}

TEST_P(DeviceTest, AnObserverThatThrowsStopsAnOpBeforeItsWork) {
  const Tensor values = make({2}, {1, 2});
  queue_.observe([](const char*) { throw Error("another rank stopped"); });
  EXPECT_THROW(kernels::fill(queue_, 5, values), Error);
  EXPECT_EQ(read(values), (Values{1, 2}));
}

TEST(MakeDevice, RefusesWhatThisBuildHasNoKernelsFor) {
  for (const DeviceKind kind : {DeviceKind::host, DeviceKind::cuda}) {
    if (!kernels::make_device.implemented(kind)) {
      EXPECT_THROW(kernels::make_device(kind, 0), Error);
    } else if (kernels::count_devices(kind) > 0) {
      EXPECT_NO_THROW(kernels::make_device(kind, 0));
    }
  }
}

}  // namespace
}  // namespace tenfold::test

#include "kernels/elementwise.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

#include "base/random.hpp"
#include "kernels/detail/operands.hpp"
#include "kernels/host/detail/bfloat16.hpp"
#include "kernels/host/detail/blocks.hpp"
#include "kernels/host/detail/ordered_sum.hpp"

namespace tenfold::kernels {

namespace {

/// Elements 2 * pair and 2 * pair + 1 of the stream `key`: Box and Muller (1958) on one Philox block.
std::array<double, 2> normal_pair(std::uint64_t key, std::int64_t pair) {
  const auto block = philox(key, 0, 0, static_cast<std::uint64_t>(pair));
  const auto first = static_cast<std::uint64_t>(block[0]) << 32U | block[1];
  const auto second = static_cast<std::uint64_t>(block[2]) << 32U | block[3];
  const double radius = std::sqrt(-2 * std::log(static_cast<double>((first >> 11U) + 1) * 0x1p-53));  // of (0, 1]
  const double angle = 2 * std::numbers::pi * (static_cast<double>(second >> 11U) * 0x1p-53);
  return {radius * std::cos(angle), radius * std::sin(angle)};
}

}  // namespace

namespace host {

void convert(Queue& queue, const Tensor& source, const Tensor& destination) {
  static detail::Label label = "tenfold::convert::forward";
  const Queue::Region region(queue, label.c_str());
  TENFOLD_VERIFY(source.elements() == destination.elements(), "convert ", source.shape().describe(), " to ",
                 destination.shape().describe());
  detail::by_storage_type(source, "convert: source", [&]<class From>() {
    detail::by_storage_type(destination, "convert: destination", [&]<class To>() {
      const From* from = source.data<From>();
      To* to = destination.data<To>();
      detail::for_blocks(label, source.elements(), detail::block_elements, [=](std::int64_t begin, std::int64_t end) {
#pragma omp simd
        for (std::int64_t i = begin; i < end; ++i) to[i] = detail::from_float<To>(detail::to_float(from[i]));
      });
    });
  });
}

void fill_normal(Queue& queue, std::uint64_t key, float mean, float deviation, std::int64_t first,
                 const Tensor& values) {
  static detail::Label label = "tenfold::fill_normal::forward";
  const Queue::Region region(queue, label.c_str());
  auto* to = values.data<float>();
  detail::for_blocks(label, values.elements(), detail::block_elements, [=](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end;) {
      const std::array<double, 2> pair = normal_pair(key, (first + i) / 2);
      do {
        to[i] = static_cast<float>(mean + deviation * pair[static_cast<std::size_t>((first + i) % 2)]);
      } while (++i < end && (first + i) % 2 != 0);
    }
  });
}

void fill(Queue& queue, float value, const Tensor& values) {
  static detail::Label label = "tenfold::fill::forward";
  const Queue::Region region(queue, label.c_str());
  auto* to = values.data<float>();
  detail::for_blocks(label, values.elements(), detail::block_elements,
                     [=](std::int64_t begin, std::int64_t end) { std::fill(to + begin, to + end, value); });
}

void add(Queue& queue, const Tensor& values, const Tensor& sum) {
  static detail::Label label = "tenfold::add::forward";
  const Queue::Region region(queue, label.c_str());
  TENFOLD_VERIFY(values.elements() == sum.elements(), "add ", values.shape().describe(), " to ",
                 sum.shape().describe());
  auto* to = sum.data<float>();
  detail::by_storage_type(values, "add: values", [&]<class T>() {
    const T* from = values.data<T>();
    detail::for_blocks(label, values.elements(), detail::block_elements, [=](std::int64_t begin, std::int64_t end) {
#pragma omp simd
      for (std::int64_t i = begin; i < end; ++i) to[i] += detail::to_float(from[i]);
    });
  });
}

void add_sum(Queue& queue, const Tensor& values, const Tensor& sum) {
  static detail::Label label = "tenfold::add_sum::forward";
  const Queue::Region region(queue, label.c_str());
  detail::expect(sum, DType::f64, {1}, "add_sum: sum");
  const auto same = [](double value) { return value; };
  auto* total = sum.data<double>();
  switch (values.dtype()) {
    case DType::f32:
      *total += detail::ordered_sum(label, values.data<float>(), values.elements(), same);
      return;
    case DType::i32:
      *total += detail::ordered_sum(label, values.data<std::int32_t>(), values.elements(), same);
      return;
    default:
      throw Error(text("add_sum: values are ", name_of(values.dtype()), ", must be f32 or i32"));
  }
}

}  // namespace host

const Implementation convert_on_host{convert, DeviceKind::host, host::convert};
const Implementation fill_normal_on_host{fill_normal, DeviceKind::host, host::fill_normal};
const Implementation fill_on_host{fill, DeviceKind::host, host::fill};
const Implementation add_on_host{add, DeviceKind::host, host::add};
const Implementation add_sum_on_host{add_sum, DeviceKind::host, host::add_sum};

}  // namespace tenfold::kernels

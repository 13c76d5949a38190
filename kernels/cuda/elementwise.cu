#include "kernels/cuda/detail/operands.cuh"
#include "kernels/cuda/detail/ordered_sum.cuh"
#include "kernels/cuda/detail/random.cuh"
#include "kernels/elementwise.hpp"

namespace tenfold::kernels {

namespace {

using namespace ::tenfold::cuda;

template <class From, class To>
__global__ void __launch_bounds__(threads_a_block) convert_all(const From* from, To* to, std::int64_t count) {
  for (std::int64_t i = 8 * first_of_grid(); i < count; i += 8 * stride_of_grid()) {
    const int width = static_cast<int>(min(count - i, std::int64_t{8}));
    float values[8];
    load8(from + i, 0, width, values);
    store8(to + i, 0, width, values);
  }
}

/// As on the host: Box and Muller (1958) on one Philox block for elements 2 * pair and 2 * pair + 1.
__global__ void __launch_bounds__(threads_a_block)
    fill_pairs(std::uint64_t key, float mean, float deviation, std::int64_t first, float* values, std::int64_t count) {
  constexpr double two_pi = 6.283185307179586476925;
  const std::int64_t before = first % 2, pairs = (before + count + 1) / 2;
  for (std::int64_t p = first_of_grid(); p < pairs; p += stride_of_grid()) {
    const uint4 block = philox(key, 0, 0, static_cast<std::uint64_t>(first / 2 + p));
    const std::uint64_t a = std::uint64_t{block.x} << 32U | block.y, b = std::uint64_t{block.z} << 32U | block.w;
    const double radius = sqrt(-2 * log(static_cast<double>((a >> 11U) + 1) * 0x1p-53));
    const double angle = two_pi * (static_cast<double>(b >> 11U) * 0x1p-53);
    const std::int64_t i = 2 * p - before;
    if (i >= 0) values[i] = static_cast<float>(mean + deviation * (radius * cos(angle)));
    if (i + 1 < count) values[i + 1] = static_cast<float>(mean + deviation * (radius * sin(angle)));
  }
}

__global__ void __launch_bounds__(threads_a_block) fill_all(float value, float* values, std::int64_t count) {
  for (std::int64_t i = first_of_grid(); i < count; i += stride_of_grid()) values[i] = value;
}

template <class T>
__global__ void __launch_bounds__(threads_a_block) add_all(const T* values, float* sum, std::int64_t count) {
  for (std::int64_t i = 8 * first_of_grid(); i < count; i += 8 * stride_of_grid()) {
    const int width = static_cast<int>(min(count - i, std::int64_t{8}));
    float added[8], total[8];
    load8(values + i, 0, width, added);
    load8(sum + i, 0, width, total);
#pragma unroll
    for (int e = 0; e < 8; ++e) total[e] += added[e];
    store8(sum + i, 0, width, total);
  }
}

struct Same {
  template <class T>
  __device__ double operator()(T value) const {
    return static_cast<double>(value);
  }
};

}  // namespace

namespace cuda {

void convert(Queue& queue, const Tensor& source, const Tensor& destination) {
  const Queue::Region region(queue, "tenfold::convert::forward");
  TENFOLD_VERIFY(source.elements() == destination.elements(), "convert ", source.shape().describe(), " to ",
                 destination.shape().describe());
  by_storage_type(source, "convert: source", [&]<class From>() {
    by_storage_type(destination, "convert: destination", [&]<class To>() {
      launch(convert_all<From, To>, grid_over((source.elements() + 7) / 8), stream_of(queue), elements<From>(source),
             elements<To>(destination), source.elements());
    });
  });
}

void fill_normal(Queue& queue, std::uint64_t key, float mean, float deviation, std::int64_t first,
                 const Tensor& values) {
  const Queue::Region region(queue, "tenfold::fill_normal::forward");
  launch(fill_pairs, grid_over(values.elements() / 2 + 1), stream_of(queue), key, mean, deviation, first,
         values.data<float>(), values.elements());
}

void fill(Queue& queue, float value, const Tensor& values) {
  const Queue::Region region(queue, "tenfold::fill::forward");
  launch(fill_all, grid_over(values.elements()), stream_of(queue), value, values.data<float>(), values.elements());
}

void add(Queue& queue, const Tensor& values, const Tensor& sum) {
  const Queue::Region region(queue, "tenfold::add::forward");
  TENFOLD_VERIFY(values.elements() == sum.elements(), "add ", values.shape().describe(), " to ",
                 sum.shape().describe());
  auto* to = sum.data<float>();
  by_storage_type(values, "add: values", [&]<class T>() {
    launch(add_all<T>, grid_over((values.elements() + 7) / 8), stream_of(queue), elements<T>(values), to,
           values.elements());
  });
}

void add_sum(Queue& queue, const Tensor& values, const Tensor& sum) {
  const Queue::Region region(queue, "tenfold::add_sum::forward");
  expect(sum, DType::f64, {1}, "add_sum: sum");
  auto* total = sum.data<double>();
  switch (values.dtype()) {
    case DType::f32:
      return ordered_sum(stream_queue(queue), values.data<float>(), values.elements(), Same(), Accumulate{total});
    case DType::i32:
      return ordered_sum(stream_queue(queue), values.data<std::int32_t>(), values.elements(), Same(),
                         Accumulate{total});
    default:
      throw Error(text("add_sum: values are ", name_of(values.dtype()), ", must be f32 or i32"));
  }
}

}  // namespace cuda

const Implementation convert_on_cuda{convert, DeviceKind::cuda, cuda::convert};
const Implementation fill_normal_on_cuda{fill_normal, DeviceKind::cuda, cuda::fill_normal};
const Implementation fill_on_cuda{fill, DeviceKind::cuda, cuda::fill};
const Implementation add_on_cuda{add, DeviceKind::cuda, cuda::add};
const Implementation add_sum_on_cuda{add_sum, DeviceKind::cuda, cuda::add_sum};

}  // namespace tenfold::kernels

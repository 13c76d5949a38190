#include "kernels/linear.hpp"

#include <algorithm>
#include <chrono>
#include <cstring>

#include "base/arena.hpp"
#include "base/clock.hpp"
#include "kernels/detail/linear.hpp"
#include "kernels/device.hpp"
#include "kernels/host/detail/blocks.hpp"
#include "kernels/host/detail/instruction_set.hpp"
#include "kernels/host/detail/product.hpp"

namespace tenfold::kernels {
namespace {

detail::Matrix matrix(const Tensor& tensor) {
  return {tensor.raw(), tensor.dtype(), tensor[0], tensor[1], tensor[1], 1};
}

/// C = A B^T (+ bias) (+ C) of checked operands.
void multiply(const detail::Matrix& a, const detail::Matrix& b, const Tensor& bias, const Tensor& c, bool accumulate,
              const Tensor& a_row_sums) {
  detail::product(a, b, bias ? bias.data<float>() : nullptr, c.raw(), c.dtype(), accumulate,
                  a_row_sums ? a_row_sums.data<float>() : nullptr);
}

}  // namespace

namespace host {

void linear_forward(Queue& queue, const Tensor& x, const Tensor& weight, const Tensor& bias, const Tensor& y) {
  const Queue::Region region(queue, "tenfold::linear::forward");
  detail::expect_linear_forward(x, weight, bias, y);
  multiply(matrix(x), matrix(weight), bias, y, false, {});
}

void linear_backward_input(Queue& queue, const Tensor& dy, const Tensor& weight, const Tensor& dx, bool accumulate) {
  const Queue::Region region(queue, "tenfold::linear::backward_input");
  detail::expect_linear_backward_input(dy, weight, dx);
  multiply(matrix(dy), matrix(weight).transposed(), {}, dx, accumulate, {});
}

void linear_backward_weight(Queue& queue, const Tensor& dy, const Tensor& x, const Tensor& dweight,
                            const Tensor& dbias) {
  const Queue::Region region(queue, "tenfold::linear::backward_weight");
  detail::expect_linear_backward_weight(dy, x, dweight, dbias);
  multiply(matrix(dy).transposed(), matrix(x).transposed(), {}, dweight, true, dbias);
}

double measure_matmul(Queue& queue, DType type, OperandLayout layout, std::int64_t n, int repeats) {
  detail::expect_measurement(n, repeats);
  static detail::Label label = "tenfold::measure_matmul";
  if (type == DType::bf16 && !detail::multiplies_bf16()) type = DType::f32;  // that is what is multiplied there
  const std::int64_t threads = detail::threads(), rows = (n + threads - 1) / threads;
  const detail::ProductShape shape{rows, n, n, type, type};
  const std::unique_ptr<Device> host = make_device(DeviceKind::host, 0);
  Arena arena(*host);
  const Tensor a = arena.allocate(type, {rows * threads, n}), c = arena.allocate(type, {rows * threads, n});
  const Tensor b = arena.allocate(DType::u8, {detail::packed_bytes(n, n, type)});
  constexpr int three_quarters = 0x3F;  // about that, in either type: zeros could run at another clock
  std::memset(a.raw(), three_quarters, a.bytes());
  std::memset(b.raw(), three_quarters, b.bytes());
  std::function<void()> product = [&] {
    detail::for_blocks(label, threads, 1, [&](std::int64_t thread, std::int64_t) {
      detail::Product::of(shape).execute(a.rows(thread * rows, rows).raw(), b.raw(), nullptr,
                                         c.rows(thread * rows, rows).raw());
    });
  };
  if (layout == OperandLayout::row_major) product = detail::row_major_product(type, n, a.raw(), b.raw(), c.raw());
  product();
  auto fastest = Clock::duration::max();
  for (int i = 0; i < repeats; ++i) {
    const Queue::Region region(queue, "tenfold::measure_matmul");
    const Clock::time_point start = Clock::now();
    product();
    fastest = std::min(fastest, Clock::now() - start);
  }
  return std::chrono::duration<double>(fastest).count();
}

}  // namespace host

const Implementation linear_forward_on_host{linear_forward, DeviceKind::host, host::linear_forward};
const Implementation linear_backward_input_on_host{linear_backward_input, DeviceKind::host,
                                                   host::linear_backward_input};
const Implementation linear_backward_weight_on_host{linear_backward_weight, DeviceKind::host,
                                                    host::linear_backward_weight};
const Implementation measure_matmul_on_host{measure_matmul, DeviceKind::host, host::measure_matmul};

}  // namespace tenfold::kernels

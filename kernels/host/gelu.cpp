#include "kernels/gelu.hpp"

#include "kernels/detail/operands.hpp"
#include "kernels/host/detail/bfloat16.hpp"
#include "kernels/host/detail/blocks.hpp"
#include "kernels/host/detail/vector_math.hpp"

namespace tenfold::kernels {

namespace {

constexpr std::int64_t piece = 512;  // elements that stay in the first cache between load and store

template <class T>
void forward(const T* x, T* y, T* derivative, std::int64_t count) {
  alignas(64) float x_buffer[piece], y_buffer[piece];
  for (std::int64_t begin = 0; begin < count; begin += piece) {
    const std::int64_t n = std::min(piece, count - begin);
    const float* in = detail::load(x + begin, n, x_buffer);
    float* out = detail::target(y + begin, y_buffer);
    float* slope = detail::target(derivative + begin, x_buffer);
#pragma omp simd
    for (std::int64_t i = 0; i < n; ++i) {
      const detail::Normal normal = detail::standard_normal(in[i]);
      out[i] = in[i] * normal.distribution;
      slope[i] = normal.distribution + in[i] * normal.density;
    }
    detail::store(out, n, y + begin);
    detail::store(slope, n, derivative + begin);
  }
}

template <class T>
void backward(const T* dy, const T* derivative, T* dx, std::int64_t count) {
  alignas(64) float slope_buffer[piece], dy_buffer[piece];
  for (std::int64_t begin = 0; begin < count; begin += piece) {
    const std::int64_t n = std::min(piece, count - begin);
    const float* slope = detail::load(derivative + begin, n, slope_buffer);
    const float* gradient = detail::load(dy + begin, n, dy_buffer);
    float* out = detail::target(dx + begin, dy_buffer);
#pragma omp simd
    for (std::int64_t i = 0; i < n; ++i) out[i] = gradient[i] * slope[i];
    detail::store(out, n, dx + begin);
  }
}

}  // namespace

namespace host {

void gelu_forward(Queue& queue, const Tensor& x, const Tensor& y, const Tensor& derivative) {
  static detail::Label label = "tenfold::gelu::forward";
  const Queue::Region region(queue, label.c_str());
  detail::expect(y, x.dtype(), x.shape(), "gelu_forward: y");
  detail::expect(derivative, x.dtype(), x.shape(), "gelu_forward: derivative");
  detail::by_storage_type(x, "gelu_forward: x", [&]<class T>() {
    const T* in = x.data<T>();
    T *out = y.data<T>(), *slope = derivative.data<T>();
    detail::for_blocks(label, x.elements(), detail::block_elements, [=](std::int64_t begin, std::int64_t end) {
      forward(in + begin, out + begin, slope + begin, end - begin);
    });
  });
}

void gelu_backward(Queue& queue, const Tensor& dy, const Tensor& derivative, const Tensor& dx) {
  static detail::Label label = "tenfold::gelu::backward";
  const Queue::Region region(queue, label.c_str());
  detail::expect(dy, derivative.dtype(), derivative.shape(), "gelu_backward: dy");
  detail::expect(dx, derivative.dtype(), derivative.shape(), "gelu_backward: dx");
  detail::by_storage_type(derivative, "gelu_backward: derivative", [&]<class T>() {
    const T *gradient = dy.data<T>(), *slope = derivative.data<T>();
    T* out = dx.data<T>();
    detail::for_blocks(label, dx.elements(), detail::block_elements, [=](std::int64_t begin, std::int64_t end) {
      backward(gradient + begin, slope + begin, out + begin, end - begin);
    });
  });
}

}  // namespace host

const Implementation gelu_forward_on_host{gelu_forward, DeviceKind::host, host::gelu_forward};
const Implementation gelu_backward_on_host{gelu_backward, DeviceKind::host, host::gelu_backward};

}  // namespace tenfold::kernels

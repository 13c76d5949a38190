#include "kernels/gelu.hpp"

#include "kernels/host/detail/bfloat16.hpp"
#include "kernels/host/detail/blocks.hpp"
#include "kernels/host/detail/operands.hpp"
#include "kernels/host/detail/vector_math.hpp"

namespace tenfold::kernels {

namespace {

constexpr std::int64_t piece = 512;  // elements that stay in the first cache between load and store

template <class T>
void forward(const T* x, T* y, std::int64_t count) {
  alignas(64) float buffer[piece];
  for (std::int64_t begin = 0; begin < count; begin += piece) {
    const std::int64_t n = std::min(piece, count - begin);
    const float* in = detail::load(x + begin, n, buffer);
    float* out = detail::target(y + begin, buffer);
#pragma omp simd
    for (std::int64_t i = 0; i < n; ++i) out[i] = in[i] * detail::standard_normal(in[i]).distribution;
    detail::store(out, n, y + begin);
  }
}

template <class T>
void backward(const T* dy, const T* x, T* dx, std::int64_t count) {
  alignas(64) float x_buffer[piece];
  alignas(64) float dy_buffer[piece];
  for (std::int64_t begin = 0; begin < count; begin += piece) {
    const std::int64_t n = std::min(piece, count - begin);
    const float* in = detail::load(x + begin, n, x_buffer);
    const float* gradient = detail::load(dy + begin, n, dy_buffer);
    float* out = detail::target(dx + begin, dy_buffer);
#pragma omp simd
    for (std::int64_t i = 0; i < n; ++i) {
      const detail::Normal normal = detail::standard_normal(in[i]);
      out[i] = gradient[i] * (normal.distribution + in[i] * normal.density);
    }
    detail::store(out, n, dx + begin);
  }
}

}  // namespace

void gelu_forward(Queue& queue, const Tensor& x, const Tensor& y) {
  static detail::Label label = "tenfold::gelu::forward";
  const Queue::Region region(queue, label.c_str());
  detail::expect(y, x.dtype(), x.shape(), "gelu_forward: y");
  detail::by_storage_type(x, "gelu_forward: x", [&]<class T>() {
    const T* in = x.data<T>();
    T* out = y.data<T>();
    detail::for_blocks(label, x.elements(), detail::block_elements,
                       [=](std::int64_t begin, std::int64_t end) { forward(in + begin, out + begin, end - begin); });
  });
}

void gelu_backward(Queue& queue, const Tensor& dy, const Tensor& x, const Tensor& dx) {
  static detail::Label label = "tenfold::gelu::backward";
  const Queue::Region region(queue, label.c_str());
  detail::expect(dy, x.dtype(), x.shape(), "gelu_backward: dy");
  detail::expect(dx, x.dtype(), x.shape(), "gelu_backward: dx");
  detail::by_storage_type(x, "gelu_backward: x", [&]<class T>() {
    const T* gradient = dy.data<T>();
    const T* in = x.data<T>();
    T* out = dx.data<T>();
    detail::for_blocks(label, x.elements(), detail::block_elements, [=](std::int64_t begin, std::int64_t end) {
      backward(gradient + begin, in + begin, out + begin, end - begin);
    });
  });
}

}  // namespace tenfold::kernels

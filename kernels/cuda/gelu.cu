#include "kernels/cuda/detail/operands.cuh"
#include "kernels/cuda/detail/vectors.cuh"
#include "kernels/gelu.hpp"

namespace tenfold::kernels {

namespace {

using namespace ::tenfold::cuda;

/// Eight elements a thread; those behind a multiple of eight one by one.
template <class T>
__global__ void __launch_bounds__(threads_a_block) forward(const T* x, T* y, T* slope, std::int64_t count) {
  constexpr float half = 0.5F, root_of_half = 0.70710678118654752F, root_of_two_pi = 0.39894228040143268F;
  for (std::int64_t i = 8 * first_of_grid(); i < count; i += 8 * stride_of_grid()) {
    const int width = static_cast<int>(min(count - i, std::int64_t{8}));
    float in[8], out[8], derivative[8];
    load8(x + i, 0, width, in);
#pragma unroll
    for (int e = 0; e < 8; ++e) {
      const float distribution = half * (1.0F + erff(in[e] * root_of_half));
      out[e] = in[e] * distribution;
      derivative[e] = distribution + in[e] * root_of_two_pi * expf(-half * in[e] * in[e]);
    }
    store8(y + i, 0, width, out);
    store8(slope + i, 0, width, derivative);
  }
}

template <class T>
__global__ void __launch_bounds__(threads_a_block) backward(const T* dy, const T* slope, T* dx, std::int64_t count) {
  for (std::int64_t i = 8 * first_of_grid(); i < count; i += 8 * stride_of_grid()) {
    const int width = static_cast<int>(min(count - i, std::int64_t{8}));
    float gradient[8], derivative[8];
    load8(dy + i, 0, width, gradient);
    load8(slope + i, 0, width, derivative);
#pragma unroll
    for (int e = 0; e < 8; ++e) gradient[e] *= derivative[e];
    store8(dx + i, 0, width, gradient);
  }
}

}  // namespace

namespace cuda {

void gelu_forward(Queue& queue, const Tensor& x, const Tensor& y, const Tensor& saved) {
  const Queue::Region region(queue, "tenfold::gelu::forward");
  expect(y, x.dtype(), x.shape(), "gelu_forward: y");
  expect(saved, x.dtype(), x.shape(), "gelu_forward: saved");
  by_storage_type(x, "gelu_forward: x", [&]<class T>() {
    launch(forward<T>, grid_over((x.elements() + 7) / 8), stream_of(queue), elements<T>(x), elements<T>(y),
           elements<T>(saved), x.elements());
  });
}

void gelu_backward(Queue& queue, const Tensor& dy, const Tensor& saved, const Tensor& dx) {
  const Queue::Region region(queue, "tenfold::gelu::backward");
  expect(dy, saved.dtype(), saved.shape(), "gelu_backward: dy");
  expect(dx, saved.dtype(), saved.shape(), "gelu_backward: dx");
  by_storage_type(saved, "gelu_backward: saved", [&]<class T>() {
    launch(backward<T>, grid_over((dx.elements() + 7) / 8), stream_of(queue), elements<T>(dy), elements<T>(saved),
           elements<T>(dx), dx.elements());
  });
}

}  // namespace cuda

const Implementation gelu_forward_on_cuda{gelu_forward, DeviceKind::cuda, cuda::gelu_forward};
const Implementation gelu_backward_on_cuda{gelu_backward, DeviceKind::cuda, cuda::gelu_backward};

}  // namespace tenfold::kernels

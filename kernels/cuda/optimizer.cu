#include "kernels/cuda/detail/ordered_sum.cuh"
#include "kernels/detail/optimizer.hpp"
#include "kernels/optimizer.hpp"

namespace tenfold::kernels {

namespace {

using namespace ::tenfold::cuda;

struct Square {
  __device__ double operator()(float value) const { return static_cast<double>(value) * static_cast<double>(value); }
};

struct StoreRoot {
  float* norm;
  __device__ void operator()(double squares) const { *norm = static_cast<float>(sqrt(squares)); }
};

/// Of an infinity or a NaN less itself NaN is left.
template <class T>
__device__ bool is_finite(T value) {
  return value - value == 0;
}

/// One warp.
__global__ void __launch_bounds__(32)
    judge(const float* norm, const double* sums, int count, std::int32_t* skipped, std::int64_t* updates) {
  bool finite = is_finite(*norm);
  for (int i = static_cast<int>(threadIdx.x); i < count; i += 32) finite = finite && is_finite(sums[i]);
  const bool all = __all_sync(0xffffffffU, finite ? 1 : 0) != 0;
  if (threadIdx.x != 0) return;
  *skipped = all ? 0 : 1;
  if (all) *updates += 1;
}

struct StepView {
  const float* learning_rate;
  const float* norm;
  const std::int32_t* skipped;
  const std::int64_t* updates;
};

/// 28 bytes of traffic an element. The powers in f64 are one thread's work in each of at most 2048 blocks.
__global__ void __launch_bounds__(threads_a_block)
    update_all(const AdamW settings, const StepView step, const float* gradient, float* weight, float* first,
               float* second, std::int64_t count) {
  if (*step.skipped != 0) return;
  auto& of_block = shared<detail::AdamWUpdate>();
  if (threadIdx.x == 0) of_block = detail::adamw_update(settings, *step.learning_rate, *step.norm, *step.updates);
  __syncthreads();
  const detail::AdamWUpdate u = of_block;
  for (std::int64_t i = 8 * first_of_grid(); i < count; i += 8 * stride_of_grid()) {
    const int width = static_cast<int>(min(count - i, std::int64_t{8}));
    float g[8], w[8], m[8], v[8];
    load8(gradient + i, 0, width, g);
    load8(weight + i, 0, width, w);
    load8(first + i, 0, width, m);
    load8(second + i, 0, width, v);
#pragma unroll
    for (int e = 0; e < 8; ++e) {
      g[e] *= u.clip;
      m[e] = u.beta1 * m[e] + u.rest1 * g[e];
      v[e] = u.beta2 * v[e] + u.rest2 * g[e] * g[e];
      w[e] -= u.decay * w[e];
      w[e] -= u.rate * (m[e] / (sqrtf(v[e]) + u.epsilon));
    }
    store8(weight + i, 0, width, w);
    store8(first + i, 0, width, m);
    store8(second + i, 0, width, v);
  }
}

}  // namespace

namespace cuda {

void global_norm(Queue& queue, const Tensor& gradient, const Tensor& norm) {
  const Queue::Region region(queue, "tenfold::global_norm::forward");
  expect(norm, DType::f32, {1}, "global_norm: norm");
  ordered_sum(stream_queue(queue), gradient.data<float>(), gradient.elements(), Square(),
              StoreRoot{norm.data<float>()});
}

void judge_step(Queue& queue, const Tensor& norm, const Tensor& sums, const Tensor& skipped, const Tensor& updates) {
  const Queue::Region region(queue, "tenfold::judge_step::forward");
  detail::expect_judge_step(norm, sums, skipped, updates);
  launch(judge, Grid{dim3(1), dim3(32)}, stream_of(queue), norm.data<float>(), sums.data<double>(),
         static_cast<int>(sums.elements()), skipped.data<std::int32_t>(), updates.data<std::int64_t>());
}

void adamw(Queue& queue, const AdamW& settings, const AdamWStep& step, const Tensor& gradient, const Tensor& weight,
           const Tensor& first_moment, const Tensor& second_moment) {
  const Queue::Region region(queue, "tenfold::adamw::forward");
  detail::expect_adamw(step, gradient, weight, first_moment, second_moment);
  const StepView view{step.learning_rate.data<float>(), step.norm.data<float>(), step.skipped.data<std::int32_t>(),
                      step.updates.data<std::int64_t>()};
  Grid grid = grid_over((weight.elements() + 7) / 8);
  grid.shared = sizeof(detail::AdamWUpdate);
  launch(update_all, grid, stream_of(queue), settings, view, gradient.data<float>(), weight.data<float>(),
         first_moment.data<float>(), second_moment.data<float>(), weight.elements());
}

}  // namespace cuda

const Implementation global_norm_on_cuda{global_norm, DeviceKind::cuda, cuda::global_norm};
const Implementation judge_step_on_cuda{judge_step, DeviceKind::cuda, cuda::judge_step};
const Implementation adamw_on_cuda{adamw, DeviceKind::cuda, cuda::adamw};

}  // namespace tenfold::kernels

// One block a row, which stays in registers between the passes over it.

#include "kernels/cuda/detail/column_sums.cuh"
#include "kernels/cuda/detail/random.cuh"
#include "kernels/detail/layer_norm.hpp"
#include "kernels/layer_norm.hpp"

namespace tenfold::kernels {

namespace {

using namespace ::tenfold::cuda;

constexpr int warps = 4;
constexpr int threads = 32 * warps;
constexpr int piece = 8 * threads;  // elements of a row that the block holds with eight a thread

struct Partials {
  float of_warp[warps];
};

/// The columns of a thread's c-th eight elements begin here.
__device__ int column_of(int c) {
  return 8 * (c * threads + static_cast<int>(threadIdx.x));
}

template <class T>
struct Forward {
  const T* x;         ///< rows, or what dropout is applied to
  const T* residual;  ///< added, or null
  const float* gain;
  const float* bias;
  float epsilon;
  T* sum;  ///< written with `residual`
  T* y;
  float* mean;
  float* rstd;
  int width;
};

template <class T, int pieces>
__global__ void __launch_bounds__(threads) forward(const Forward<T> o, const DropoutView dropout) {
  Partials& partials = shared<Partials>();
  const std::int64_t n = blockIdx.x, start = n * o.width;
  const auto width = static_cast<float>(o.width);
  float x[pieces][8];
  float total = 0;
#pragma unroll
  for (int c = 0; c < pieces; ++c) {
    const int column = column_of(c);
    if (column >= o.width) break;
    load8(o.x + start, column, o.width, x[c]);
    if (o.residual != nullptr) {
      float kept[8];
      dropout.apply(n, column, o.width, x[c]);
      load8(o.residual + start, column, o.width, kept);
#pragma unroll
      for (int i = 0; i < 8; ++i) x[c][i] = rounded<T>(x[c][i] + kept[i]);  // what backward will read
      store8(o.sum + start, column, o.width, x[c]);
    }
#pragma unroll
    for (int i = 0; i < 8; ++i)
      if (column + i < o.width) total += x[c][i];
  }
  const float mean = block_sum(total, partials.of_warp) / width;
  float squares = 0;
#pragma unroll
  for (int c = 0; c < pieces; ++c) {
    const int column = column_of(c);
#pragma unroll
    for (int i = 0; i < 8; ++i)
      if (column + i < o.width) squares += (x[c][i] - mean) * (x[c][i] - mean);
  }
  const float rstd = 1.0F / sqrtf(block_sum(squares, partials.of_warp) / width + o.epsilon);
#pragma unroll
  for (int c = 0; c < pieces; ++c) {
    const int column = column_of(c);
    if (column >= o.width) break;
    float gain[8], bias[8];
    load8(o.gain, column, o.width, gain);
    load8(o.bias, column, o.width, bias);
#pragma unroll
    for (int i = 0; i < 8; ++i) x[c][i] = (x[c][i] - mean) * rstd * gain[i] + bias[i];
    store8(o.y + start, column, o.width, x[c]);
  }
  if (threadIdx.x == 0) {
    o.mean[n] = mean;
    o.rstd[n] = rstd;
  }
}

template <class T>
struct Backward {
  const T* dy;
  const T* x;
  const float* gain;
  const float* mean;
  const float* rstd;
  T* dx;
  T* dbranch;       ///< through the dropout mask, or null
  float* partials;  ///< [blocks, 2, width]: of dgain and dbias
  std::int64_t rows;
  int width;
};

/// A block a part of the rows, one after another.
template <class T, int pieces>
__global__ void __launch_bounds__(threads) backward(const Backward<T> o, const DropoutView dropout) {
  Partials& partials = shared<Partials>();
  const auto width = static_cast<float>(o.width);
  float dgain[pieces][8] = {}, dbias[pieces][8] = {};
  const RowRange range(o.rows, blockIdx.x, gridDim.x);
  for (std::int64_t n = range.begin; n < range.end; ++n) {
    const std::int64_t start = n * o.width;
    const float mean = o.mean[n], rstd = o.rstd[n];
    float g[pieces][8], x[pieces][8];  // dy * gain; the normalised row
    float sum = 0, along = 0;
#pragma unroll
    for (int c = 0; c < pieces; ++c) {
      const int column = column_of(c);
      if (column >= o.width) break;
      float gain[8];
      load8(o.dy + start, column, o.width, g[c]);
      load8(o.x + start, column, o.width, x[c]);
      load8(o.gain, column, o.width, gain);
#pragma unroll
      for (int i = 0; i < 8; ++i) {
        if (column + i >= o.width) break;
        x[c][i] = (x[c][i] - mean) * rstd;
        dgain[c][i] += g[c][i] * x[c][i];
        dbias[c][i] += g[c][i];
        g[c][i] *= gain[i];
        sum += g[c][i];
        along += g[c][i] * x[c][i];
      }
    }
    sum = block_sum(sum, partials.of_warp) / width;
    along = block_sum(along, partials.of_warp) / width;
#pragma unroll
    for (int c = 0; c < pieces; ++c) {
      const int column = column_of(c);
      if (column >= o.width) break;
#pragma unroll
      for (int i = 0; i < 8; ++i) g[c][i] = rstd * (g[c][i] - sum - x[c][i] * along);
      store8(o.dx + start, column, o.width, g[c]);
      if (o.dbranch == nullptr) continue;
      dropout.apply(n, column, o.width, g[c]);
      store8(o.dbranch + start, column, o.width, g[c]);
    }
  }
  float* of_gain = o.partials + std::int64_t{2} * blockIdx.x * o.width;
#pragma unroll
  for (int c = 0; c < pieces; ++c) {
    const int column = column_of(c);
    if (column >= o.width) break;
#pragma unroll
    for (int i = 0; i < 8; ++i) {
      if (column + i >= o.width) break;
      of_gain[column + i] = dgain[c][i];
      of_gain[o.width + column + i] = dbias[c][i];
    }
  }
}

/// body.operator()<pieces>() with enough of them for a row.
template <class Body>
void by_pieces(std::int64_t width, Body&& body) {
  if (width <= piece) return body.template operator()<1>();
  if (width <= 2 * piece) return body.template operator()<2>();
  TENFOLD_VERIFY(width <= 8 * piece, "layer_norm: rows of ", width, " elements, at most ", 8 * piece, " on CUDA");
  if (width <= 4 * piece) return body.template operator()<4>();
  return body.template operator()<8>();
}

template <class T>
void run_forward(Queue& queue, std::int64_t rows, const Forward<T>& operands, const DropoutView& dropout) {
  if (rows == 0) return;
  by_pieces(operands.width, [&]<int pieces>() {
    launch(forward<T, pieces>, Grid{dim3(static_cast<unsigned>(rows)), dim3(threads), sizeof(Partials)},
           stream_of(queue), operands, dropout);
  });
}

template <class T>
void run_backward(Queue& queue, Backward<T> operands, const DropoutView& dropout, const Tensor& dgain,
                  const Tensor& dbias) {
  if (operands.rows == 0) return;
  const int parts = row_parts(operands.rows);
  const std::int64_t width = operands.width;
  operands.partials = stream_queue(queue).scratch<float>(2 * parts * width);
  by_pieces(width, [&]<int pieces>() {
    launch(backward<T, pieces>, Grid{dim3(static_cast<unsigned>(parts)), dim3(threads), sizeof(Partials)},
           stream_of(queue), operands, dropout);
  });
  add_parts(stream_of(queue), operands.partials, parts, 2 * width, width, dgain.data<float>());
  add_parts(stream_of(queue), operands.partials + width, parts, 2 * width, width, dbias.data<float>());
}

}  // namespace

namespace cuda {

void layer_norm_forward(Queue& queue, const Tensor& x, const Tensor& gain, const Tensor& bias, float epsilon,
                        const Tensor& y, const Tensor& mean, const Tensor& rstd) {
  const Queue::Region region(queue, "tenfold::layer_norm::forward");
  detail::expect_layer_norm(x, gain, mean, rstd, bias, {{y, "layer_norm: y"}});
  by_storage_type(x, "layer_norm: x", [&]<class T>() {
    run_forward<T>(queue, x[0],
                   {elements<T>(x), nullptr, gain.data<float>(), bias.data<float>(), epsilon, nullptr, elements<T>(y),
                    mean.data<float>(), rstd.data<float>(), static_cast<int>(x[1])},
                   DropoutView({}, x[0]));
  });
}

void layer_norm_backward(Queue& queue, const Tensor& dy, const Tensor& x, const Tensor& gain, const Tensor& mean,
                         const Tensor& rstd, const Tensor& dx, const Tensor& dgain, const Tensor& dbias) {
  const Queue::Region region(queue, "tenfold::layer_norm::backward");
  detail::expect_layer_norm(x, gain, mean, rstd, dbias, {{dy, "layer_norm: dy"}, {dx, "layer_norm: dx"}});
  expect(dgain, DType::f32, {x[1]}, "layer_norm: dgain");
  by_storage_type(x, "layer_norm: x", [&]<class T>() {
    run_backward<T>(queue,
                    {elements<T>(dy), elements<T>(x), gain.data<float>(), mean.data<float>(), rstd.data<float>(),
                     elements<T>(dx), nullptr, nullptr, x[0], static_cast<int>(x[1])},
                    DropoutView({}, x[0]), dgain, dbias);
  });
}

void residual_layer_norm_forward(Queue& queue, const Tensor& branch, const Tensor& residual, const Dropout& dropout,
                                 const Tensor& gain, const Tensor& bias, float epsilon, const Tensor& sum,
                                 const Tensor& y, const Tensor& mean, const Tensor& rstd) {
  const Queue::Region region(queue, "tenfold::residual_layer_norm::forward");
  detail::expect_layer_norm(sum, gain, mean, rstd, bias,
                            {{branch, "residual_layer_norm: branch"},
                             {residual, "residual_layer_norm: residual"},
                             {y, "residual_layer_norm: y"}});
  by_storage_type(sum, "residual_layer_norm: sum", [&]<class T>() {
    run_forward<T>(queue, sum[0],
                   {elements<T>(branch), elements<T>(residual), gain.data<float>(), bias.data<float>(), epsilon,
                    elements<T>(sum), elements<T>(y), mean.data<float>(), rstd.data<float>(), static_cast<int>(sum[1])},
                   DropoutView(dropout, sum[0]));
  });
}

void residual_layer_norm_backward(Queue& queue, const Tensor& dy, const Tensor& sum, const Dropout& dropout,
                                  const Tensor& gain, const Tensor& mean, const Tensor& rstd, const Tensor& dresidual,
                                  const Tensor& dbranch, const Tensor& dgain, const Tensor& dbias) {
  const Queue::Region region(queue, "tenfold::residual_layer_norm::backward");
  detail::expect_layer_norm(sum, gain, mean, rstd, dbias,
                            {{dy, "residual_layer_norm: dy"},
                             {dresidual, "residual_layer_norm: dresidual"},
                             {dbranch, "residual_layer_norm: dbranch"}});
  expect(dgain, DType::f32, {sum[1]}, "residual_layer_norm: dgain");
  by_storage_type(sum, "residual_layer_norm: sum", [&]<class T>() {
    run_backward<T>(queue,
                    {elements<T>(dy), elements<T>(sum), gain.data<float>(), mean.data<float>(), rstd.data<float>(),
                     elements<T>(dresidual), elements<T>(dbranch), nullptr, sum[0], static_cast<int>(sum[1])},
                    DropoutView(dropout, sum[0]), dgain, dbias);
  });
}

}  // namespace cuda

const Implementation layer_norm_forward_on_cuda{layer_norm_forward, DeviceKind::cuda, cuda::layer_norm_forward};
const Implementation layer_norm_backward_on_cuda{layer_norm_backward, DeviceKind::cuda, cuda::layer_norm_backward};
const Implementation residual_layer_norm_forward_on_cuda{residual_layer_norm_forward, DeviceKind::cuda,
                                                         cuda::residual_layer_norm_forward};
const Implementation residual_layer_norm_backward_on_cuda{residual_layer_norm_backward, DeviceKind::cuda,
                                                          cuda::residual_layer_norm_backward};

}  // namespace tenfold::kernels

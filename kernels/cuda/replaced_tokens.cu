// Two passes over the rows: a warp a row for scores and dhidden, then a thread eight columns for dw.

#include "kernels/cuda/detail/column_sums.cuh"
#include "kernels/cuda/detail/packed.cuh"
#include "kernels/cuda/detail/vectors.cuh"
#include "kernels/detail/replaced_tokens.hpp"
#include "kernels/replaced_tokens.hpp"

namespace tenfold::kernels {

namespace {

using namespace ::tenfold::cuda;

constexpr int sum_threads = 128;  ///< of sum_rows: one block has all columns of most models

__global__ void __launch_bounds__(threads_a_block)
    keep_all(const std::int32_t* original, std::int32_t* corrupted, std::int32_t* replaced, std::int64_t tokens) {
  for (std::int64_t n = first_of_grid(); n < tokens; n += stride_of_grid()) {
    corrupted[n] = original[n];
    replaced[n] = 0;
  }
}

struct Draws {
  const std::int32_t *original, *rows, *drawn, *count;
  std::int32_t *corrupted, *replaced;
  std::int64_t capacity;
};

__global__ void __launch_bounds__(threads_a_block) replace_drawn(const Draws o) {
  const std::int64_t count = min(std::int64_t{*o.count}, o.capacity);
  for (std::int64_t r = first_of_grid(); r < count; r += stride_of_grid()) {
    const std::int32_t token = o.drawn[r], n = o.rows[r];
    if (token < 0) continue;
    o.corrupted[n] = token;
    o.replaced[n] = token != o.original[n] ? 1 : 0;
  }
}

template <class T>
struct Rows {
  const T* hidden;
  const float *w, *b, *weight;
  const std::int32_t *sequence, *replaced;
  float* losses;
  std::int32_t* predicted;
  T* dhidden;       ///< null where no gradient is wanted
  float* gradient;  ///< [N] by score, 0 in rows of no sequence
  std::int64_t rows;
  int width;
};

/// Of row n, which belongs to a sequence; returns the gradient by its score. Lane 0 writes.
template <class T>
__device__ float score(const Rows<T>& o, std::int64_t n) {
  const int lane = static_cast<int>(threadIdx.x % 32);
  float sum = 0;
#pragma unroll 4
  for (int column = 8 * lane; column < o.width; column += 256) {
    float x[8], w[8];
    load8(o.hidden + n * o.width, column, o.width, x);
    load8(o.w, column, o.width, w);
#pragma unroll
    for (int i = 0; i < 8; ++i) sum += x[i] * w[i];
  }
  const float value = warp_sum(sum) + *o.b;
  const float target = o.replaced[n] != 0 ? 1.0F : 0.0F;
  const float decay = expf(-fabsf(value));  // neither it nor what follows overflows
  if (lane == 0) {
    o.losses[n] = (value < 0 ? 0.0F : value) - target * value + log1pf(decay);  // NaN stays
    o.predicted[n] = value > 0 ? 1 : 0;
  }
  return *o.weight * ((value > 0 ? 1.0F : decay) / (1.0F + decay) - target);
}

template <class T>
__global__ void __launch_bounds__(threads_a_block) score_rows(const Rows<T> o) {
  const std::int64_t n = std::int64_t{blockIdx.x} * (threads_a_block / 32) + threadIdx.x / 32;
  if (n >= o.rows) return;
  const int lane = static_cast<int>(threadIdx.x % 32);
  float gradient = 0;
  if (o.sequence[n] >= 0) {
    gradient = score(o, n);
  } else if (lane == 0) {
    o.losses[n] = 0;
    o.predicted[n] = 0;
  }
  if (o.dhidden == nullptr) return;
  if (lane == 0) o.gradient[n] = gradient;
  for (int column = 8 * lane; column < o.width; column += 256) {
    float values[8];
    load8(o.w, column, o.width, values);
#pragma unroll
    for (float& value : values) value = o.sequence[n] < 0 ? 0.0F : value * gradient;
    store8(o.dhidden + n * o.width, column, o.width, values);
  }
}

/// partials: [parts, width + 1], of dw and db, block (p, c) those of part p of the rows and of some columns.
template <class T>
__global__ void __launch_bounds__(sum_threads) sum_rows(const Rows<T> o, float* partials) {
  const int column = 8 * static_cast<int>(blockIdx.y * sum_threads + threadIdx.x);
  if (column >= o.width) return;
  const RowRange range(o.rows, blockIdx.x, gridDim.x);
  float sum[8] = {}, total = 0;
#pragma unroll 8
  for (std::int64_t n = range.begin; n < range.end; ++n) {
    const float gradient = o.gradient[n];
    float x[8];
    load8(o.hidden + n * o.width, column, o.width, x);
    total += gradient;
#pragma unroll
    for (int i = 0; i < 8; ++i) sum[i] += o.sequence[n] < 0 ? 0.0F : gradient * x[i];  // x may be NaN there
  }
  float* part = partials + std::int64_t{blockIdx.x} * (o.width + 1);
#pragma unroll
  for (int i = 0; i < 8; ++i)
    if (column + i < o.width) part[column + i] = sum[i];
  if (column == 0) part[o.width] = total;
}

template <class T>
void run(StreamQueue& queue, Rows<T> rows, float* dw, float* db) {
  if (rows.rows == 0) return;
  constexpr std::int64_t warps = threads_a_block / 32;
  const int parts = row_parts(rows.rows);
  float* partials = nullptr;
  if (rows.dhidden != nullptr) {
    rows.gradient = queue.scratch<float>(rows.rows + parts * std::int64_t{rows.width + 1});
    partials = rows.gradient + rows.rows;
  }
  launch(score_rows<T>, Grid{dim3(static_cast<unsigned>((rows.rows + warps - 1) / warps)), dim3(threads_a_block)},
         queue.stream(), rows);
  if (rows.dhidden == nullptr || rows.width == 0) return;
  const int pieces = (rows.width + 8 * sum_threads - 1) / (8 * sum_threads);
  launch(sum_rows<T>, Grid{dim3(static_cast<unsigned>(parts), static_cast<unsigned>(pieces)), dim3(sum_threads)},
         queue.stream(), rows, partials);
  add_parts(queue.stream(), partials, parts, rows.width + 1, rows.width, dw);
  add_parts(queue.stream(), partials + rows.width, parts, rows.width + 1, 1, db);
}

}  // namespace

namespace cuda {

void corrupt_tokens(Queue& queue, const Tensor& original, const Tensor& rows, const Tensor& drawn, const Tensor& count,
                    const Tensor& corrupted, const Tensor& replaced) {
  const Queue::Region region(queue, "tenfold::corrupt_tokens::forward");
  detail::expect_corrupt_tokens(original, rows, drawn, count, corrupted, replaced);
  launch(keep_all, grid_over(original[0]), stream_of(queue), original.data<std::int32_t>(),
         corrupted.data<std::int32_t>(), replaced.data<std::int32_t>(), original[0]);
  launch(replace_drawn, grid_over(rows[0]), stream_of(queue),
         Draws{original.data<std::int32_t>(), rows.data<std::int32_t>(), drawn.data<std::int32_t>(),
               count.data<std::int32_t>(), corrupted.data<std::int32_t>(), replaced.data<std::int32_t>(), rows[0]});
}

void replaced_token_loss(Queue& queue, const Tensor& hidden, const PackedRows& rows, const Tensor& w, const Tensor& b,
                         const Tensor& replaced, const Tensor& weight, const Tensor& losses, const Tensor& predicted,
                         const Tensor& dhidden, const Tensor& dw, const Tensor& db) {
  const Queue::Region region(queue, "tenfold::replaced_token_loss::forward_backward");
  detail::expect_replaced_token_loss(hidden, w, b, replaced, weight, losses, predicted, dhidden, dw, db);
  const PackedView packed(rows, hidden[0], "replaced_token_loss: rows");
  by_storage_type(hidden, "replaced_token_loss: hidden", [&]<class T>() {
    run(stream_queue(queue),
        Rows<T>{elements<T>(hidden), w.data<float>(), b.data<float>(), weight.data<float>(), packed.sequence,
                replaced.data<std::int32_t>(), losses.data<float>(), predicted.data<std::int32_t>(),
                elements<T>(dhidden), nullptr, hidden[0], static_cast<int>(hidden[1])},
        elements<float>(dw), elements<float>(db));
  });
}

}  // namespace cuda

const Implementation corrupt_tokens_on_cuda{corrupt_tokens, DeviceKind::cuda, cuda::corrupt_tokens};
const Implementation replaced_token_loss_on_cuda{replaced_token_loss, DeviceKind::cuda, cuda::replaced_token_loss};

}  // namespace tenfold::kernels

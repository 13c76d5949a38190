#include "kernels/cuda/detail/column_sums.cuh"
#include "kernels/cuda/detail/ordered_scatter.cuh"
#include "kernels/cuda/detail/packed.cuh"
#include "kernels/cuda/detail/rows.cuh"
#include "kernels/detail/embedding.hpp"
#include "kernels/embedding.hpp"

namespace tenfold::kernels {

namespace {

using namespace ::tenfold::cuda;

/// positions: null where none are added.
template <class T>
__global__ void __launch_bounds__(threads_a_block)
    look_up(const std::int32_t* tokens, const PackedView packed, const T* table, const T* positions, T* out,
            std::int64_t rows, int width) {
  for (std::int64_t n = first_row(); n < rows; n += stride_of_rows()) {
    const std::int32_t b = packed.sequence[n];
    const T* from = b >= 0 ? table + std::int64_t{tokens[n]} * width : nullptr;
    const T* added = b >= 0 && positions != nullptr ? positions + (n - packed.offsets[b]) * width : nullptr;
    T* to = out + n * width;
    for (int c = first_column(); c < width; c += columns_of_warp) {
      if (from != nullptr && added == nullptr) {
        copy8(from, to, c, width);
        continue;
      }
      float sum[8] = {};
      if (added != nullptr) {
        float values[8];
        load8(from, c, width, sum);
        load8(added, c, width, values);
#pragma unroll
        for (int i = 0; i < 8; ++i) sum[i] += values[i];
      }
      store8(to, c, width, sum);
    }
  }
}

template <class T>
__global__ void __launch_bounds__(threads_a_block)
    add_positions(const PackedView packed, const T* positions, T* x, std::int64_t rows, int width) {
  for (std::int64_t n = first_row(); n < rows; n += stride_of_rows()) {
    const std::int32_t b = packed.sequence[n];
    if (b < 0) continue;
    const T* added = positions + (n - packed.offsets[b]) * width;
    for (int c = first_column(); c < width; c += columns_of_warp) {
      float sum[8], values[8];
      load8(x + n * width, c, width, sum);
      load8(added, c, width, values);
#pragma unroll
      for (int i = 0; i < 8; ++i) sum[i] += values[i];
      store8(x + n * width, c, width, sum);
    }
  }
}

/// The token that row n adds to; -1 where it belongs to no sequence.
struct TokenOf {
  const std::int32_t* tokens;
  const std::int32_t* sequence;
  __device__ std::int32_t operator()(std::int64_t n) const { return sequence[n] < 0 ? -1 : tokens[n]; }
};

/// Rows of a matrix, to be added somewhere.
template <class T>
struct Rows {
  const T* first;
  int width;
  __device__ void operator()(std::int64_t n, int column, float (&values)[8]) const {
    load8(first + n * width, column, width, values);
  }
};

/// The sums of one part of the sequences (blockIdx.z), a warp a position and 256 columns (blockIdx.y).
/// partials: [parts, positions, width].
template <class T>
__global__ void __launch_bounds__(threads_a_block)
    sum_sequences(const T* dx, const PackedView packed, float* partials, std::int64_t positions, int width) {
  const int column = static_cast<int>(blockIdx.y) * columns_of_warp + first_column();
  if (column >= width) return;
  const RowRange part(packed.sequences, blockIdx.z, gridDim.z);
  for (std::int64_t t = first_row(); t < positions; t += stride_of_rows()) {
    float sum[8] = {};
#pragma unroll 4
    for (std::int64_t b = part.begin; b < part.end; ++b) {
      const std::int64_t n = packed.offsets[b] + t;
      if (n >= packed.offsets[b + 1]) continue;
      float values[8];
      load8(dx + n * width, column, width, values);
#pragma unroll
      for (int i = 0; i < 8; ++i) sum[i] += values[i];
    }
    store8(partials + (blockIdx.z * positions + t) * width, column, width, sum);
  }
}

}  // namespace

namespace cuda {

void embedding_forward(Queue& queue, const Tensor& tokens, const PackedRows& rows, const Tensor& table,
                       const Tensor& positions, const Tensor& out) {
  const Queue::Region region(queue, "tenfold::embedding::forward");
  detail::expect_embedding_forward(tokens, table, positions, out);
  const PackedView packed(rows, out[0], "embedding_forward: rows");
  by_storage_type(table, "embedding_forward: table", [&]<class T>() {
    launch(look_up<T>, grid_over_rows(out[0]), stream_of(queue), tokens.data<std::int32_t>(), packed,
           elements<T>(table), elements<T>(positions), elements<T>(out), out[0], static_cast<int>(table[1]));
  });
}

/// The rows are sorted by token, which moves 8 bytes a row back and forth for each byte of the greatest token (two for
/// 30,000); then each row of dout is read once, and each row of dtable that a token names is read and written once.
/// Rows of a frequent token are the work of many blocks (detail/ordered_scatter.cuh).
void embedding_backward(Queue& queue, const Tensor& tokens, const PackedRows& rows, const Tensor& dout,
                        const Tensor& dtable, const Tensor& dpositions) {
  const Queue::Region region(queue, "tenfold::embedding::backward");
  detail::expect_embedding_backward(tokens, dout, dtable);
  const std::int64_t count = dout[0], width = dout[1];
  const PackedView packed(rows, count, "embedding_backward: rows");
  auto* scratch = stream_queue(queue).scratch<std::byte>(ordered_scatter_bytes(count, width));
  by_storage_type(dout, "embedding_backward: dout", [&]<class T>() {
    ordered_scatter(stream_of(queue), TokenOf{tokens.data<std::int32_t>(), packed.sequence}, count, dtable[0],
                    Rows<T>{elements<T>(dout), static_cast<int>(width)}, width, dtable.data<float>(), scratch);
  });
  if (dpositions) positions_backward(queue, rows, dout, dpositions);
}

void positions_forward(Queue& queue, const PackedRows& rows, const Tensor& positions, const Tensor& x) {
  const Queue::Region region(queue, "tenfold::positions::forward");
  detail::expect_positions(positions, x.dtype(), x, "positions_forward: positions");
  const PackedView packed(rows, x[0], "positions_forward: rows");
  by_storage_type(x, "positions_forward: x", [&]<class T>() {
    launch(add_positions<T>, grid_over_rows(x[0]), stream_of(queue), packed, elements<T>(positions), elements<T>(x),
           x[0], static_cast<int>(x[1]));
  });
}

/// Reads each row once. The sequences are summed in as many parts as keep a large GPU busy; those are added up in
/// order.
void positions_backward(Queue& queue, const PackedRows& rows, const Tensor& dx, const Tensor& dpositions) {
  const Queue::Region region(queue, "tenfold::positions::backward");
  detail::expect_positions(dpositions, DType::f32, dx, "positions_backward: dpositions");
  const PackedView packed(rows, dx[0], "positions_backward: rows");
  const std::int64_t positions = dpositions[0], width = dx[1], sums = positions * width;
  if (sums == 0) return;
  constexpr std::int64_t warps = 8192;
  const std::int64_t pieces = (width + columns_of_warp - 1) / columns_of_warp;
  const auto parts = static_cast<int>(std::clamp(warps / (positions * pieces), std::int64_t{1},
                                                 std::max(std::int64_t{packed.sequences}, std::int64_t{1})));
  auto* partials = stream_queue(queue).scratch<float>(parts * sums);
  Grid grid = grid_over_rows(positions);
  grid.blocks.y = static_cast<unsigned>(pieces);
  grid.blocks.z = static_cast<unsigned>(parts);
  by_storage_type(dx, "positions_backward: dx", [&]<class T>() {
    launch(sum_sequences<T>, grid, stream_of(queue), elements<T>(dx), packed, partials, positions,
           static_cast<int>(width));
  });
  add_parts(stream_of(queue), partials, parts, sums, sums, dpositions.data<float>());
}

}  // namespace cuda

const Implementation embedding_forward_on_cuda{embedding_forward, DeviceKind::cuda, cuda::embedding_forward};
const Implementation embedding_backward_on_cuda{embedding_backward, DeviceKind::cuda, cuda::embedding_backward};
const Implementation positions_forward_on_cuda{positions_forward, DeviceKind::cuda, cuda::positions_forward};
const Implementation positions_backward_on_cuda{positions_backward, DeviceKind::cuda, cuda::positions_backward};

}  // namespace tenfold::kernels

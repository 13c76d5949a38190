// Few and small matrices, once a step: tiles in shared memory and f32 arithmetic do.

#include "kernels/cuda/detail/operands.cuh"
#include "kernels/cuda/detail/vectors.cuh"
#include "kernels/detail/position_bias.hpp"
#include "kernels/position_bias.hpp"

namespace tenfold::kernels {

namespace {

using namespace ::tenfold::cuda;

constexpr int warps = threads_a_block / 32;
constexpr int tile = 32;                ///< rows and columns of a result that a block works out
constexpr int quarters = tile / warps;  ///< of a thread, in one column, `warps` rows apart

/// A matrix [rows, columns] of which either stride is 1.
struct View {
  const float* first;
  int rows, columns;
  std::int64_t row_stride, column_stride;

  __device__ View transposed() const { return {first, columns, rows, column_stride, row_stride}; }
  __device__ float operator()(int row, int column) const {
    return row < rows && column < columns ? first[row * row_stride + column * column_stride] : 0.0F;
  }
};

struct Tiles {
  float a[tile][tile + 1], b[tile][tile + 1];
};

struct Place {
  int lane = static_cast<int>(threadIdx.x) % 32, warp = static_cast<int>(threadIdx.x) / 32;
};

/// to[r][c] = from(row + r, column + c); neighbouring threads read neighbouring memory.
__device__ inline void load_tile(const View& from, int row, int column, float (&to)[tile][tile + 1]) {
  const Place place;
  const bool along_rows = from.column_stride == 1;
#pragma unroll
  for (int q = 0; q < quarters; ++q) {
    const int far = place.warp + warps * q;
    const int r = along_rows ? far : place.lane, c = along_rows ? place.lane : far;
    to[r][c] = from(row + r, column + c);
  }
}

/// sums[q] = (A B)(row + warp + warps * q, column + lane).
__device__ inline void multiply_tile(const View& a, const View& b, int row, int column, Tiles& tiles,
                                     float (&sums)[quarters]) {
  const Place place;
  for (int depth = 0; depth < a.columns; depth += tile) {
    load_tile(a, row, depth, tiles.a);
    load_tile(b, depth, column, tiles.b);
    __syncthreads();
#pragma unroll
    for (int k = 0; k < tile; ++k) {
      const float factor = tiles.b[k][place.lane];
#pragma unroll
      for (int q = 0; q < quarters; ++q) sums[q] += tiles.a[place.warp + warps * q][k] * factor;
    }
    __syncthreads();
  }
}

/// PositionBias as kernels read it; null pointers for what is absent.
struct BiasView {
  const float* query;
  const float* key;
  const float* relative;
  const std::int32_t* buckets;
  const float* cls;
  int heads, length, head_width;
  float scale;
  bool untied;

  BiasView(const PositionBias& input, const detail::PositionExtents& extents)
      : query(elements<float>(input.query)),
        key(elements<float>(input.key)),
        relative(elements<float>(input.relative)),
        buckets(input.relative ? input.buckets.data<std::int32_t>() : nullptr),
        cls(elements<float>(input.cls)),
        heads(static_cast<int>(extents.heads)),
        length(static_cast<int>(extents.length)),
        head_width(static_cast<int>(extents.head_width)),
        scale(extents.scale),
        untied(input.untie_cls) {}

  /// The first row and column that get the position and the relative term of their own.
  __device__ int first() const { return untied ? 1 : 0; }
  /// Head h of `query`, `key` or a gradient of theirs.
  __device__ View head(const float* tensor, int h) const {
    return {tensor + h * head_width, length, head_width, std::int64_t{heads} * head_width, 1};
  }
  /// What queries after [CLS] give to it.
  __device__ float others_to_cls(int h) const {
    float sum = 0;
    for (int c = 0; c < head_width; ++c) sum += query[h * head_width + c] * key[h * head_width + c];
    return scale * sum + (cls != nullptr ? cls[h] : 0.0F);
  }
};

/// A block a tile of a head: keys along x, queries along y, heads along z.
__global__ void __launch_bounds__(threads_a_block) forward(const BiasView o, float* bias) {
  Tiles& tiles = shared<Tiles>();
  const Place place;
  const int h = static_cast<int>(blockIdx.z), row = static_cast<int>(blockIdx.y) * tile,
            column = static_cast<int>(blockIdx.x) * tile, j = column + place.lane;
  float sums[quarters] = {};
  if (o.query != nullptr) multiply_tile(o.head(o.query, h), o.head(o.key, h).transposed(), row, column, tiles, sums);
  if (j >= o.length) return;
  const bool reset = o.untied && j == 0;
  const float to_cls = reset ? o.others_to_cls(h) : 0.0F;
#pragma unroll
  for (int q = 0; q < quarters; ++q) {
    const int i = row + place.warp + warps * q;
    if (i >= o.length) break;
    float value = reset ? to_cls : o.scale * sums[q];
    if (o.relative != nullptr && !reset) value += o.relative[o.buckets[o.length - 1 + j - i] * o.heads + h];
    bias[(std::int64_t{h} * o.length + i) * o.length + j] = o.untied && i == 0 ? 0.0F : value;
  }
}

struct OffsetSums {
  float of_warp[warps][32];
};

/// sums[h, length - 1 + offset] = sum of dbias[h, i, i + offset] over what the relative term was added to. A lane an
/// offset; the rows are dealt to warps in turn.
__global__ void __launch_bounds__(threads_a_block) sum_diagonals(const BiasView o, const float* dbias, float* sums) {
  OffsetSums& partials = shared<OffsetSums>();
  const Place place;
  const int h = static_cast<int>(blockIdx.y), index = static_cast<int>(blockIdx.x) * 32 + place.lane;
  const int offset = index - (o.length - 1);
  const float* head = dbias + std::int64_t{h} * o.length * o.length;
  float sum = 0;
  for (int i = o.first() + place.warp; i < o.length; i += warps) {
    const int j = i + offset;
    if (j >= o.first() && j < o.length) sum += head[i * o.length + j];
  }
  partials.of_warp[place.warp][place.lane] = sum;
  __syncthreads();
  if (place.warp > 0 || index > 2 * (o.length - 1)) return;
  float total = 0;
#pragma unroll
  for (int w = 0; w < warps; ++w) total += partials.of_warp[w][place.lane];
  sums[h * (2 * o.length - 1) + index] = total;
}

/// A warp an entry of the table: the offsets of its bucket.
__global__ void __launch_bounds__(threads_a_block)
    sum_buckets(const BiasView o, const float* diagonals, int entries, float* drelative) {
  const Place place;
  const int entry = static_cast<int>(blockIdx.x) * warps + place.warp, offsets = 2 * o.length - 1;
  if (entry >= entries) return;
  const int bucket = entry / o.heads, h = entry % o.heads;
  float sum = 0;
  for (int i = place.lane; i < offsets; i += 32)
    if (o.buckets[i] == bucket) sum += diagonals[h * offsets + i];
  sum = warp_sum(sum);
  if (place.lane == 0) drelative[entry] += sum;
}

struct ClsPartials {
  float of_warp[warps];
};

/// A block a head: turns the gradient of its bias into that of G, and adds that of its [CLS] scalar.
__global__ void __launch_bounds__(threads_a_block) untie(const BiasView o, float* dbias, float* dcls) {
  ClsPartials& partials = shared<ClsPartials>();
  const int h = static_cast<int>(blockIdx.x), thread = static_cast<int>(threadIdx.x);
  float* head = dbias + std::int64_t{h} * o.length * o.length;
  float sum = 0;
  for (int i = 1 + thread; i < o.length; i += threads_a_block) {
    sum += head[i * o.length];
    head[i * o.length] = 0;
    head[i] = 0;
  }
  sum = block_sum(sum, partials.of_warp);
  if (thread > 0) return;
  head[0] = sum;
  if (dcls != nullptr) dcls[h] += sum;
}

/// gradient = scale * dG key, or scale * dG^T query. A block a tile of a head: columns along x, positions along y.
template <bool of_key>
__global__ void __launch_bounds__(threads_a_block)
    position_backward(const BiasView o, const float* dbias, float* gradient) {
  Tiles& tiles = shared<Tiles>();
  const Place place;
  const int h = static_cast<int>(blockIdx.z), row = static_cast<int>(blockIdx.y) * tile,
            column = static_cast<int>(blockIdx.x) * tile, c = column + place.lane;
  const View dg{dbias + std::int64_t{h} * o.length * o.length, o.length, o.length, o.length, 1};
  float sums[quarters] = {};
  multiply_tile(of_key ? dg.transposed() : dg, o.head(of_key ? o.query : o.key, h), row, column, tiles, sums);
  if (c >= o.head_width) return;
#pragma unroll
  for (int q = 0; q < quarters; ++q) {
    const int i = row + place.warp + warps * q;
    if (i < o.length) gradient[(std::int64_t{i} * o.heads + h) * o.head_width + c] = o.scale * sums[q];
  }
}

Grid grid(std::int64_t x, std::int64_t y, std::int64_t z, std::size_t bytes,
          SourcePlace where = SourcePlace::current()) {
  return {dim3(static_cast<unsigned>(x), static_cast<unsigned>(y), static_cast<unsigned>(z)), dim3(threads_a_block),
          bytes, where};
}
std::int64_t tiles_over(std::int64_t extent) {
  return (extent + tile - 1) / tile;
}

void relative_backward(Queue& queue, const BiasView& view, const float* dbias, const Tensor& drelative) {
  const std::int64_t offsets = 2 * view.length - 1, entries = drelative.elements();
  auto* diagonals = stream_queue(queue).scratch<float>(view.heads * offsets);
  launch(sum_diagonals, grid((offsets + 31) / 32, view.heads, 1, sizeof(OffsetSums)), stream_of(queue), view, dbias,
         diagonals);
  launch(sum_buckets, grid((entries + warps - 1) / warps, 1, 1, 0), stream_of(queue), view, diagonals,
         static_cast<int>(entries), drelative.data<float>());
}

}  // namespace

namespace cuda {

void position_bias_forward(Queue& queue, const PositionBias& input, const Tensor& bias) {
  const Queue::Region region(queue, "tenfold::position_bias::forward");
  const detail::PositionExtents extents = detail::expect_position_bias(input, bias, "position_bias_forward");
  const std::int64_t tiles = tiles_over(extents.length);
  launch(forward, grid(tiles, tiles, extents.heads, sizeof(Tiles)), stream_of(queue), BiasView(input, extents),
         bias.data<float>());
}

void position_bias_backward(Queue& queue, const Tensor& dbias, const PositionBias& input,
                            const PositionBias& gradient) {
  const Queue::Region region(queue, "tenfold::position_bias::backward");
  const detail::PositionExtents extents = detail::expect_position_bias(input, dbias, "position_bias_backward");
  detail::expect_position_gradient(gradient, input);
  const BiasView view(input, extents);
  const cudaStream_t stream = stream_of(queue);
  auto* of_bias = dbias.data<float>();
  if (gradient.relative) relative_backward(queue, view, of_bias, gradient.relative);
  if (input.untie_cls)
    launch(untie, grid(extents.heads, 1, 1, sizeof(ClsPartials)), stream, view, of_bias, elements<float>(gradient.cls));
  const Grid tiles = grid(tiles_over(extents.head_width), tiles_over(extents.length), extents.heads, sizeof(Tiles));
  if (gradient.query) launch(position_backward<false>, tiles, stream, view, of_bias, gradient.query.data<float>());
  if (gradient.key) launch(position_backward<true>, tiles, stream, view, of_bias, gradient.key.data<float>());
}

}  // namespace cuda

const Implementation position_bias_forward_on_cuda{position_bias_forward, DeviceKind::cuda,
                                                   cuda::position_bias_forward};
const Implementation position_bias_backward_on_cuda{position_bias_backward, DeviceKind::cuda,
                                                    cuda::position_bias_backward};

}  // namespace tenfold::kernels

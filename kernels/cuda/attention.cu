// FlashAttention-2 (Dao 2023) with an additive bias: nothing of extent T x T leaves the registers. A block has 64 rows
// of one head of one sequence, its own, 16 a warp, and walks over tiles of the others, which arrive by asynchronous
// copies two deep: in forward and for dq it owns queries, for dk and dv keys. Backward works the scores out again.
// Where a sum is over sequences, the bias's gradient, a block owns a tile of T x T and walks over sequences, in order.
//
// Kept for backward: the logarithm of each softmax's sum; the context, whose product with its gradient is the sum over
// j of A dA; a copy of the bias; and a bit for each element that dropout decides on, T * H / 8 bytes a row. To draw the
// Philox blocks anew in each of the four kernels would be, by count of instructions, some ten an element, and four
// times that where a block's eight elements lie with four lanes.

#include "kernels/attention.hpp"
#include "kernels/cuda/detail/attention_head.cuh"
#include "kernels/cuda/detail/column_sums.cuh"
#include "kernels/cuda/detail/random.cuh"
#include "kernels/detail/attention.hpp"

namespace tenfold::kernels {

namespace {

using namespace ::tenfold::cuda;
using namespace ::tenfold::cuda::attention;

constexpr float masked = -1e30F;  ///< score of a key that is not there

/// Other rows a step: few enough for the registers of a lane, which in backward hold two products and two sums.
template <int width>
constexpr int forward_step = width <= 64 ? 64 : 32;
constexpr int backward_step = 32;

// ---- dropout

/// A thread a word of `kept`, words along blockIdx.y and heads along blockIdx.z.
__global__ void __launch_bounds__(threads_a_block)
    draw(const DropoutView dropout, std::int64_t rows, std::int64_t stride, int length, std::uint32_t* kept) {
  const int j = static_cast<int>(blockIdx.y) * 32;
  const std::int64_t head = blockIdx.z;
  for (std::int64_t row = first_of_grid(); row < rows; row += stride_of_grid()) {
    const int b = dropout.rows.sequence[row];
    if (b < 0 || j >= dropout.rows.offsets[b + 1] - dropout.rows.offsets[b]) continue;
    const std::int64_t i = row - dropout.rows.offsets[b];
    const auto first = static_cast<std::uint32_t>((head * length + i) * length + j);
    const std::int64_t sample = dropout.rows.samples[b];
    const int blocks = first % 8 == 0 ? 4 : 5;
    std::uint64_t bits = 0;  // from the first element of the first block on
    for (int block = 0; block < blocks; ++block) {
      const uint4 draws = dropout.draws(sample, first / 8 + static_cast<std::uint32_t>(block));
      std::uint32_t byte = 0;
#pragma unroll
      for (std::uint32_t e = 0; e < 8; ++e) byte |= (dropout.keeps(draws, e) ? 1U : 0U) << e;
      bits |= std::uint64_t{byte} << (8 * block);
    }
    kept[(head * gridDim.y + blockIdx.y) * stride + row] = static_cast<std::uint32_t>(bits >> (first % 8));
  }
}

// ---- forward

template <class T, int width>
struct ForwardTiles {
  Tile<T, own_rows, width> query;
  Tile<T, forward_step<width>, width> key[2], value[2];
};

struct Softmax {
  float maximum = masked;
  float sum = 0;  ///< the lane's part of it
};

/// Products become exp2(score - maximum); what was summed before is rescaled.
template <class T, int count, int blocks>
__device__ void softmax(const Head<T>& at, int query, int key, float (&s)[count][4], Softmax (&rows)[2],
                        float (&context)[blocks][4]) {
#pragma unroll
  for (int n = 0; n < count; ++n) {
#pragma unroll
    for (int e = 0; e < 4; ++e) {
      const int j = key + 8 * n + e % 2;
      s[n][e] = j < at.length ? at.score(s[n][e], query + 8 * (e / 2), j) : masked;
    }
  }
#pragma unroll
  for (int r = 0; r < 2; ++r) {
    float maximum = rows[r].maximum;
#pragma unroll
    for (int n = 0; n < count; ++n) maximum = fmaxf(maximum, fmaxf(s[n][2 * r], s[n][2 * r + 1]));
    maximum = fmaxf(maximum, __shfl_xor_sync(0xffffffffU, maximum, 1));
    maximum = fmaxf(maximum, __shfl_xor_sync(0xffffffffU, maximum, 2));
    const float shrink = exp2f(rows[r].maximum - maximum);
    rows[r].maximum = maximum;
    rows[r].sum *= shrink;
#pragma unroll
    for (int n = 0; n < count; ++n) {
#pragma unroll
      for (int e = 2 * r; e < 2 * r + 2; ++e) {
        s[n][e] = exp2f(s[n][e] - maximum);
        rows[r].sum += s[n][e];
      }
    }
#pragma unroll
    for (int n = 0; n < blocks; ++n) {
      context[n][2 * r] *= shrink;
      context[n][2 * r + 1] *= shrink;
    }
  }
}

template <class T, int count>
__device__ void drop(const Head<T>& at, int query, int key, float (&s)[count][4]) {
  if (at.o.kept == nullptr) return;
  const KeptWords<8 * count> kept(at, query, key);
#pragma unroll
  for (int n = 0; n < count; ++n) {
#pragma unroll
    for (int e = 0; e < 4; ++e) s[n][e] *= at.factor(kept.word[e / 2][n / 4] >> (key & 31), 8 * (n % 4) + e % 2);
  }
}

template <class T, int width>
__global__ void __launch_bounds__(threads) forward(const Operands<T> o) {
  constexpr int keys = forward_step<width>;
  auto& tiles = shared<ForwardTiles<T, width>>();
  const Place place(o);
  const Head<T> at(o, place.head, place.sequence);
  if (place.own >= at.length) return;
  const int first = place.own + warp_first(), query = first + lane() / 4;
  float context[width / 8][4] = {};
  Softmax rows[2];
  const auto arrive = [&](int step) {
    if (step == 0) fetch<threads>(tiles.query, at.query(), place.own, at.length, o.head_width);
    fetch<threads>(tiles.key[step % 2], at.key(), step * keys, at.length, o.head_width);
    fetch<threads>(tiles.value[step % 2], at.value(), step * keys, at.length, o.head_width);
  };
  pipeline((at.length + keys - 1) / keys, arrive, [&](int step) {
    if (first >= at.length) return;
    const int key = step * keys + 2 * (lane() % 4);
    float s[keys / 8][4] = {};
    multiply_transposed(tiles.query, warp_first(), tiles.key[step % 2], s);
    softmax(at, query, key, s, rows, context);
    drop(at, query, key, s);
    multiply(s, tiles.value[step % 2], context);
  });
  if (first >= at.length) return;
  float factors[2];
#pragma unroll
  for (int r = 0; r < 2; ++r) {
    float sum = rows[r].sum;
    sum += __shfl_xor_sync(0xffffffffU, sum, 1);
    sum += __shfl_xor_sync(0xffffffffU, sum, 2);
    factors[r] = 1.0F / sum;
    if (lane() % 4 == 0 && query + 8 * r < at.length)
      o.logsumexp[at.first + query + 8 * r] = rows[r].maximum + log2f(sum);
  }
  store(at.view(o.result, 0, 1), first, at.length, o.head_width, context, factors);
  store(at.view(o.kept_context, 0, 1), first, at.length, o.head_width, context, factors);
}

// ---- backward

/// What is known of a query, and whether dropout keeps it for a key.
struct Query {
  float logsumexp = 0, along = 0;
  bool kept = true;
};

/// From products q . k and dcontext . v of own and other rows: dropout(A) and dS, both 0 where there is no such row.
/// own, other: the lane's first of each; query_of(n, e) tells of the query of s[n][e].
template <bool own_keys, class T, int count, class QueryOf>
__device__ void differentiate(const Head<T>& at, int own, int other, const QueryOf& query_of, float (&s)[count][4],
                              float (&d)[count][4]) {
#pragma unroll
  for (int n = 0; n < count; ++n) {
#pragma unroll
    for (int e = 0; e < 4; ++e) {
      const int of_own = own + 8 * (e / 2), of_other = other + 8 * n + e % 2;
      const int i = own_keys ? of_other : of_own, j = own_keys ? of_own : of_other;
      const Query query = query_of(n, e);
      const bool inside = at.inside(i, j);
      const float probability = inside ? exp2f(at.score(s[n][e], i, j) - query.logsumexp) : 0.0F;
      const float mask = query.kept ? at.o.keep_scale : 0.0F;
      s[n][e] = probability * mask;
      d[n][e] = inside ? probability * (mask * d[n][e] - query.along) : 0.0F;
    }
  }
}

/// The same of own queries, of which rows are the lane's.
template <class T, int count>
__device__ void differentiate_queries(const Head<T>& at, int query, int key, const Query (&rows)[2],
                                      float (&s)[count][4], float (&d)[count][4]) {
  const KeptWords<8 * count> kept(at, query, key);
  const auto query_of = [&](int n, int e) {
    const std::uint32_t word = kept.word[e / 2][n / 4] >> (key & 31);
    return Query{rows[e / 2].logsumexp, rows[e / 2].along, (word >> (8 * (n % 4) + e % 2) & 1U) != 0};
  };
  differentiate<false>(at, query, key, query_of, s, d);
}

/// What is known of the queries of a step, from the multiple of four (in [H, stride]) at or before the first on.
template <int rows>
struct alignas(16) Queries {
  float logsumexp[rows + 4], along[rows + 4];
  std::uint32_t kept[own_rows / 32][rows + 4];  ///< for own keys
};

template <class T, int rows>
__device__ void fetch(Queries<rows>& queries, const Head<T>& at, int query, int key) {
  constexpr int pieces = rows / 4 + 1, arrays = 2 + own_rows / 32;
  for (int i = static_cast<int>(threadIdx.x); i < arrays * pieces; i += threads) {
    const int array = i / pieces, piece = i % pieces * 4;
    const std::int64_t n = (at.row + query) / 4 * 4 + piece, in_head = at.head * at.o.stride + n;
    const bool valid = n < at.o.stride;
    if (array == 0) {
      copy_async(&queries.logsumexp[piece], at.o.logsumexp + (valid ? in_head : 0), valid);
    } else if (array == 1) {
      copy_async(&queries.along[piece], at.o.along + (valid ? in_head : 0), valid);
    } else if (at.o.kept != nullptr) {
      const int w = key / 32 + array - 2;
      const bool drawn = valid && w < at.o.words;
      const std::int64_t word = (std::int64_t{at.head} * at.o.words + w) * at.o.stride + n;
      copy_async(&queries.kept[array - 2][piece], at.o.kept + (drawn ? word : 0), drawn);
    }
  }
}

/// The same of own keys, those of the warp in one word of `kept`.
template <class T, int count>
__device__ void differentiate_keys(const Head<T>& at, int key, int query, const Queries<8 * count>& queries,
                                   float (&s)[count][4], float (&d)[count][4]) {
  const int first = static_cast<int>(at.row & 3) + 2 * (lane() % 4);
  const auto query_of = [&](int n, int e) {
    const int i = first + 8 * n + e % 2;
    const bool kept =
        at.o.kept == nullptr || (queries.kept[warp_first() / 32][i] >> (key & 31) >> (8 * (e / 2)) & 1U) != 0;
    return Query{queries.logsumexp[i], queries.along[i], kept};
  };
  differentiate<true>(at, key, query, query_of, s, d);
}

template <class T>
__device__ Query known(const Head<T>& at, int i) {
  const std::int64_t index = at.first + min(i, at.length - 1);
  return {at.o.logsumexp[index], at.o.along[index]};
}

/// The sum over j of A dA, which is context . dcontext, of the warp's queries; row l / 2 lies with lane l and the next.
template <class T, int rows, int width>
__device__ void sum_along(const Head<T>& at, const Tile<T, rows, width>& dcontext, int first, Query (&queries)[2]) {
  const HeadRows<T> context = at.view(at.o.kept_context, 0, 1);
  const int row = lane() / 2, i = first + row;
  float sum = 0;
  if (i < at.length) {
    const int begin = lane() % 2 * (width / 2);
    for (int column = begin; column < min(begin + width / 2, at.o.head_width); column += 8) {
      float values[8];
      load8(context.first + static_cast<std::int64_t>(i) * context.stride, column, at.o.head_width, values);
#pragma unroll
      for (int e = 0; e < 8; ++e) sum += values[e] * to_float(dcontext.row[warp_first() + row][column + e]);
    }
  }
  sum += __shfl_xor_sync(0xffffffffU, sum, 1);
  if (i < at.length && lane() % 2 == 0) at.o.along[at.first + i] = sum;
#pragma unroll
  for (int r = 0; r < 2; ++r) {
    queries[r].along = __shfl_sync(0xffffffffU, sum, 2 * (lane() / 4 + 8 * r));
    queries[r].logsumexp = at.o.logsumexp[at.first + min(first + lane() / 4 + 8 * r, at.length - 1)];
  }
}

/// left: queries or keys; right: gradients of the context or values.
template <class T, int width>
struct BackwardTiles {
  Tile<T, own_rows, width> own_left, own_right;
  Tile<T, backward_step, width> left[2], right[2];
  Queries<backward_step> queries[2];  ///< of own keys
};

/// dq, and `along` for the launches after it; or, with own keys, dk and dv.
template <class T, int width, bool own_keys>
__global__ void __launch_bounds__(threads) backward(const Operands<T> o) {
  auto& tiles = shared<BackwardTiles<T, width>>();
  const Place place(o);
  const Head<T> at(o, place.head, place.sequence);
  if (place.own >= at.length) return;
  const int first = place.own + warp_first();
  float of_left[width / 8][4] = {}, of_right[own_keys ? width / 8 : 1][4] = {};
  Query rows[2];
  const HeadRows<const T> left[2] = {at.query(), at.key()}, right[2] = {at.dcontext(), at.value()};
  const auto arrive = [&](int step) {
    if (step == 0) {
      fetch<threads>(tiles.own_left, left[own_keys], place.own, at.length, o.head_width);
      fetch<threads>(tiles.own_right, right[own_keys], place.own, at.length, o.head_width);
    }
    fetch<threads>(tiles.left[step % 2], left[!own_keys], step * backward_step, at.length, o.head_width);
    fetch<threads>(tiles.right[step % 2], right[!own_keys], step * backward_step, at.length, o.head_width);
    if (own_keys) fetch(tiles.queries[step % 2], at, step * backward_step, place.own);
  };
  pipeline((at.length + backward_step - 1) / backward_step, arrive, [&](int step) {
    if (first >= at.length) return;
    if (!own_keys && step == 0) sum_along(at, tiles.own_right, first, rows);
    float s[backward_step / 8][4] = {}, d[backward_step / 8][4] = {};
    multiply_transposed(tiles.own_left, warp_first(), tiles.left[step % 2], s);
    multiply_transposed(tiles.own_right, warp_first(), tiles.right[step % 2], d);
    const int own = first + lane() / 4, other = step * backward_step + 2 * (lane() % 4);
    if constexpr (own_keys) {
      differentiate_keys(at, own, other, tiles.queries[step % 2], s, d);
      multiply(s, tiles.right[step % 2], of_right);
    } else {
      differentiate_queries(at, own, other, rows, s, d);
    }
    multiply(d, tiles.left[step % 2], of_left);
  });
  if (first >= at.length) return;
  store(at.view(o.result, own_keys ? 1 : 0, 3), first, at.length, o.head_width, of_left, {o.scale, o.scale});
  if constexpr (own_keys) store(at.view(o.result, 2, 3), first, at.length, o.head_width, of_right, {1.0F, 1.0F});
}

template <class T, int width>
struct BiasTiles {
  Tile<T, own_rows, width> query, dcontext;
  Tile<T, backward_step, width> key[own_rows / backward_step], value[own_rows / backward_step];
};

/// sums [parts, H, T, T] += sum of dS over the sequences of a part, in order; or = with `anew`. A block a square tile
/// and a part.
template <class T, int width>
__global__ void __launch_bounds__(threads, 3) backward_bias(const Operands<T> o, float* sums, bool anew) {
  constexpr int steps = own_rows / backward_step, blocks = backward_step / 8;
  auto& tiles = shared<BiasTiles<T, width>>();
  const int index = static_cast<int>(blockIdx.x), head = index / o.tiles / o.tiles;
  const int key_first = index % o.tiles * own_rows, query_first = index / o.tiles % o.tiles * own_rows;
  const int query = query_first + warp_first() + lane() / 4, key = key_first + 2 * (lane() % 4);
  float* out = sums + (std::int64_t{blockIdx.y} * o.heads + head) * o.length * o.length;
  const auto for_elements = [&](const auto& body) {
#pragma unroll
    for (int n = 0; n < steps * blocks; ++n) {
#pragma unroll
      for (int e = 0; e < 4; ++e) {
        const int i = query + 8 * (e / 2), j = key + 8 * n + e % 2;
        if (i < o.length && j < o.length) body(n / blocks, n % blocks, e, i * o.length + j);
      }
    }
  };
  float total[steps][blocks][4] = {};
  if (!anew) for_elements([&](int step, int n, int e, int at) { total[step][n][e] = out[at]; });
  const RowRange sequences(o.sequences, blockIdx.y, gridDim.y);
  for (std::int64_t b = sequences.begin; b < sequences.end; ++b) {
    const Head<T> at(o, head, static_cast<int>(b));
    if (max(query_first, key_first) >= at.length) continue;
    __syncthreads();  // all have read the sequence before
    fetch<threads>(tiles.query, at.query(), query_first, at.length, o.head_width);
    fetch<threads>(tiles.dcontext, at.dcontext(), query_first, at.length, o.head_width);
#pragma unroll
    for (int step = 0; step < steps; ++step) {
      fetch<threads>(tiles.key[step], at.key(), key_first + step * backward_step, at.length, o.head_width);
      fetch<threads>(tiles.value[step], at.value(), key_first + step * backward_step, at.length, o.head_width);
    }
    copy_commit();
    copy_wait<0>();
    __syncthreads();
    if (query_first + warp_first() >= at.length) continue;
    const Query rows[2] = {known(at, query), known(at, query + 8)};
#pragma unroll
    for (int step = 0; step < steps; ++step) {
      if (key_first + step * backward_step >= at.length) break;
      float s[blocks][4] = {}, d[blocks][4] = {};
      multiply_transposed(tiles.query, warp_first(), tiles.key[step], s);
      multiply_transposed(tiles.dcontext, warp_first(), tiles.value[step], d);
      differentiate_queries(at, query, key + step * backward_step, rows, s, d);
#pragma unroll
      for (int n = 0; n < blocks; ++n) {
#pragma unroll
        for (int e = 0; e < 4; ++e) total[step][n][e] += d[n][e];
      }
    }
  }
  for_elements([&](int step, int n, int e, int at) { out[at] = total[step][n][e]; });
}

// ---- both

/// 0 in the rows behind the last sequence.
template <class T>
__global__ void __launch_bounds__(threads_a_block)
    clear_rows(const std::int32_t* filled, T* matrix, std::int64_t rows, int width) {
  for (std::int64_t i = *filled * std::int64_t{width} + first_of_grid(); i < rows * width; i += stride_of_grid())
    matrix[i] = from_float<T>(0);
}

/// body.operator()<width>() with the first width of tiles that holds a head's.
template <class Body>
void by_width(std::int64_t head_width, Body&& body) {
  if (head_width <= 32) return body.template operator()<32>();
  if (head_width <= 64) return body.template operator()<64>();
  TENFOLD_VERIFY(head_width <= 128, "attention: heads ", head_width, " wide, at most 128 on CUDA");
  return body.template operator()<128>();
}

struct Call {
  const AttentionShape& shape;
  const Dropout& dropout;
  float scale;
  PackedView rows;
  Saved saved;
  Workspace workspace;
  cudaStream_t stream;

  Call(Queue& queue, const AttentionShape& whole, const Dropout& drop, float factor, const Tensor& qkv,
       const Tensor& kept, const Tensor& space, const char* name)
      : shape(whole),
        dropout(drop),
        scale(factor),
        rows(drop.rows, whole.rows, name),
        saved(whole, qkv.dtype(), kept.data<std::uint8_t>()),
        workspace(whole, space.data<std::uint8_t>()),
        stream(stream_of(queue)) {}

  template <class T>
  Operands<T> operands(const Tensor& qkv, const Tensor& result) const {
    Operands<T> o{};
    o.offsets = rows.offsets;
    o.sequences = rows.sequences;
    o.qkv = elements<T>(qkv);
    o.logsumexp = saved.logsumexp;
    o.along = workspace.along;
    o.kept = dropout.rate > 0 ? saved.kept : nullptr;
    o.kept_context = reinterpret_cast<T*>(saved.context);
    o.result = elements<T>(result);
    o.stride = stride_of(shape.rows);
    o.length = static_cast<int>(shape.length);
    o.heads = static_cast<int>(shape.heads);
    o.head_width = static_cast<int>(shape.head_width);
    o.words = static_cast<int>(words_of(shape.length));
    o.tiles = static_cast<int>(tiles_of(shape.length));
    o.scale = scale;
    o.keep_scale = dropout.rate > 0 ? 1 / (1 - dropout.rate) : 1;
    return o;
  }
  /// Over own tiles, heads and sequences.
  Grid grid(std::size_t bytes) const {
    return {dim3(static_cast<unsigned>(tiles_of(shape.length) * shape.heads * rows.sequences)), dim3(threads), bytes};
  }
  template <class T>
  void clear(const Tensor& matrix) const {
    launch(clear_rows<T>, grid_over(matrix.elements()), stream, rows.offsets + rows.sequences, elements<T>(matrix),
           matrix[0], static_cast<int>(matrix[1]));
  }
  void draw_kept() const {
    Grid grid = grid_over(shape.rows);
    grid.blocks.y = static_cast<unsigned>(words_of(shape.length));
    grid.blocks.z = static_cast<unsigned>(shape.heads);
    launch(draw, grid, stream, DropoutView(dropout, shape.rows), shape.rows, stride_of(shape.rows),
           static_cast<int>(shape.length), saved.kept);
  }
  bool empty() const { return rows.sequences == 0 || shape.rows == 0; }
};

template <class T>
void run_backward(const Call& call, const Operands<T>& o, const Tensor& dbias) {
  by_width(call.shape.head_width, [&]<int width>() {
    const Grid grid = call.grid(sizeof(BackwardTiles<T, width>));
    launch(backward<T, width, false>, grid, call.stream, o);
    launch(backward<T, width, true>, grid, call.stream, o);
    if (!dbias) return;
    constexpr int least = 8;  // sequences a part
    const std::int64_t square = dbias.elements();
    const std::int64_t parts = std::clamp<std::int64_t>(o.sequences / least, 1, call.workspace.parts);
    const std::int64_t blocks = o.heads * o.tiles * o.tiles;
    float* sums = parts > 1 ? call.workspace.sums : dbias.data<float>();
    launch(backward_bias<T, width>,
           Grid{dim3(static_cast<unsigned>(blocks), static_cast<unsigned>(parts)), dim3(threads),
                sizeof(BiasTiles<T, width>)},
           call.stream, o, sums, parts > 1);
    if (parts > 1) add_parts(call.stream, sums, static_cast<int>(parts), square, square, dbias.data<float>());
  });
}

}  // namespace

namespace cuda {

std::int64_t attention_saved_bytes(DeviceKind /*device*/, const AttentionShape& shape, DType type) {
  return Saved(shape, type, nullptr).bytes();
}

std::int64_t attention_workspace_bytes(DeviceKind /*device*/, const AttentionShape& shape, DType /*type*/) {
  return Workspace(shape, nullptr).bytes();
}

void attention_forward(Queue& queue, const AttentionShape& shape, const Tensor& qkv, const Tensor& bias, float scale,
                       const Dropout& dropout, const Tensor& context, const Tensor& saved, const Tensor& workspace) {
  const Queue::Region region(queue, "tenfold::attention::forward");
  detail::expect_attention(DeviceKind::cuda, shape, qkv, bias, context, saved, workspace, "attention_forward");
  const Call call(queue, shape, dropout, scale, qkv, saved, workspace, "attention_forward: rows");
  check(cudaMemsetAsync(call.saved.biased, bias ? 1 : 0, sizeof(std::int32_t), call.stream));
  if (bias)
    check(cudaMemcpyAsync(call.saved.bias, bias.data<float>(), bias.bytes(), cudaMemcpyDeviceToDevice, call.stream));
  by_storage_type(qkv, "attention_forward: qkv", [&]<class T>() {
    Operands<T> o = call.operands<T>(qkv, context);
    o.bias = bias ? bias.data<float>() : nullptr;
    if (!call.empty() && dropout.rate > 0) call.draw_kept();
    by_width(shape.head_width, [&]<int width>() {
      if (!call.empty()) launch(forward<T, width>, call.grid(sizeof(ForwardTiles<T, width>)), call.stream, o);
    });
    call.clear<T>(context);
  });
}

void attention_backward(Queue& queue, const AttentionShape& shape, const Tensor& dcontext, const Tensor& qkv,
                        const Tensor& saved, float scale, const Dropout& dropout, const Tensor& dqkv,
                        const Tensor& dbias, const Tensor& workspace) {
  const Queue::Region region(queue, "tenfold::attention::backward");
  detail::expect_attention(DeviceKind::cuda, shape, qkv, dbias, dcontext, saved, workspace, "attention_backward");
  expect(dqkv, qkv.dtype(), qkv.shape(), "attention_backward: dqkv");
  const Call call(queue, shape, dropout, scale, qkv, saved, workspace, "attention_backward: rows");
  by_storage_type(qkv, "attention_backward: qkv", [&]<class T>() {
    Operands<T> o = call.operands<T>(qkv, dqkv);
    o.dcontext = elements<T>(dcontext);
    o.bias = call.saved.bias;
    o.biased = call.saved.biased;
    if (!call.empty()) run_backward(call, o, dbias);
    call.clear<T>(dqkv);
  });
}

}  // namespace cuda

const Implementation attention_saved_bytes_on_cuda{attention_saved_bytes, DeviceKind::cuda,
                                                   cuda::attention_saved_bytes};
const Implementation attention_workspace_bytes_on_cuda{attention_workspace_bytes, DeviceKind::cuda,
                                                       cuda::attention_workspace_bytes};
const Implementation attention_forward_on_cuda{attention_forward, DeviceKind::cuda, cuda::attention_forward};
const Implementation attention_backward_on_cuda{attention_backward, DeviceKind::cuda, cuda::attention_backward};

}  // namespace tenfold::kernels

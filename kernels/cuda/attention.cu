// FlashAttention-2 (Dao 2023) with an additive bias: nothing of extent T x T leaves the registers. A block has 64 rows
// of one head of one sequence, its own, 16 a warp, and walks over tiles of the others, which arrive by asynchronous
// copies two deep: in forward and for dq it owns queries, for dk and dv keys. Backward works the scores out again.
// Where a sum is over sequences, the bias's gradient, a block owns a tile of T x T and walks over sequences, in order.
//
// Kept for backward: the logarithm of each softmax's sum; the context, whose product with its gradient is the sum over
// j of A dA; a copy of the bias; and a bit for each element that dropout decides on, T * H / 8 bytes a row. Each of the
// four kernels would else draw the Philox blocks anew, which costs more than their products: some ten instructions an
// element, four times that where a fragment's lanes share a block's eight elements.

#include "kernels/attention.hpp"
#include "kernels/cuda/detail/attention_tiles.cuh"
#include "kernels/cuda/detail/column_sums.cuh"
#include "kernels/cuda/detail/random.cuh"
#include "kernels/detail/attention.hpp"

namespace tenfold::kernels {

namespace {

using namespace ::tenfold::cuda;

constexpr int warps = 4;
constexpr int threads = 32 * warps;
constexpr int own_rows = warps * warp_rows;
constexpr float log2e = 1.4426950408889634F;
constexpr float masked = -1e30F;  ///< score of a key that is not there

/// Other rows a step: few enough for the registers of a lane.
template <int width>
constexpr int other_rows = width <= 64 ? 64 : 32;

/// Of every kernel here. [H, N] are a head's rows one after another.
template <class T>
struct Operands {
  const std::int32_t* offsets;
  int sequences;
  const T* qkv;
  const T* dcontext;
  const float* bias;           ///< [H, T, T], or null
  const std::int32_t* biased;  ///< in backward: 0 if there is no bias after all
  float* logsumexp;            ///< [H, N], of base 2
  float* along;                ///< [H, N]: sum over j of A dA
  const std::uint32_t* kept;   ///< [H, N, words]: what dropout keeps, bit j % 32 of word j / 32; or null: all
  T* kept_context;             ///< [N, d]
  T* result;                   ///< context or dqkv
  std::int64_t rows;
  int length, heads, head_width, words, tiles;  ///< tiles: of own rows, in the longest sequence
  float scale, keep_scale;
};

/// One head of one sequence. Scores are of base 2.
template <class T>
struct Head {
  const Operands<T>& o;
  int head, length;
  std::int64_t row;    ///< of the sequence's first token
  std::int64_t first;  ///< the same in [H, N]
  const float* bias;
  float scale = o.scale * log2e;

  __device__ Head(const Operands<T>& operands, int which, int sequence)
      : o(operands),
        head(which),
        length(o.offsets[sequence + 1] - o.offsets[sequence]),
        row(o.offsets[sequence]),
        first(head * o.rows + row),
        bias(o.bias == nullptr || (o.biased != nullptr && *o.biased == 0)
                 ? nullptr
                 : o.bias + std::int64_t{head} * o.length * o.length) {}

  /// The head's columns of part `part` of `parts` of a [N, parts * d] matrix.
  template <class Element>
  __device__ HeadRows<Element> view(Element* matrix, int part, int parts) const {
    const int width = o.heads * o.head_width;
    return {matrix + row * parts * width + part * width + head * o.head_width, parts * width};
  }
  __device__ HeadRows<const T> query() const { return view(o.qkv, 0, 3); }
  __device__ HeadRows<const T> key() const { return view(o.qkv, 1, 3); }
  __device__ HeadRows<const T> value() const { return view(o.qkv, 2, 3); }
  __device__ HeadRows<const T> dcontext() const { return view(o.dcontext, 0, 1); }

  __device__ bool inside(int i, int j) const { return i < length && j < length; }
  __device__ float score(float product, int i, int j) const {
    const float added = bias != nullptr && inside(i, j) ? __ldg(bias + i * o.length + j) * log2e : 0.0F;
    return fmaf(product, scale, added);
  }
  /// Row i's word with key j in it; any word for what is not there.
  __device__ std::uint32_t kept(int i, int j) const {
    if (o.kept == nullptr) return ~std::uint32_t{0};
    return __ldg(o.kept + (first + min(i, length - 1)) * o.words + min(j, length - 1) / 32);
  }
  __device__ float factor(std::uint32_t word, int j) const {
    return (word >> (j % 32) & 1U) != 0 ? o.keep_scale : 0.0F;
  }
};

/// Where a block works, whose grid goes over own tiles, heads and sequences.
struct Place {
  int own, head, sequence;
  template <class T>
  __device__ explicit Place(const Operands<T>& o) {
    const int index = static_cast<int>(blockIdx.x), heads = index / o.tiles;
    own = index % o.tiles * own_rows;
    head = heads % o.heads;
    sequence = heads / o.heads;
  }
};

__device__ int warp_first() {
  return static_cast<int>(threadIdx.x) / 32 * warp_rows;
}

// ---- dropout

/// A thread a word of `kept`.
__global__ void __launch_bounds__(threads_a_block)
    draw(const DropoutView dropout, std::int64_t rows, int heads, int length, int words, std::uint32_t* kept) {
  const std::int64_t count = heads * rows * words;
  for (std::int64_t index = first_of_grid(); index < count; index += stride_of_grid()) {
    const int j = static_cast<int>(index % words) * 32;
    const std::int64_t head = index / words / rows, row = index / words % rows;
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
    kept[index] = static_cast<std::uint32_t>(bits >> (first % 8));
  }
}

// ---- forward

template <class T, int width>
struct ForwardTiles {
  Tile<T, own_rows, width> query;
  Tile<T, other_rows<width>, width> key[2], value[2];
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
#pragma unroll
  for (int r = 0; r < 2; ++r) {
    std::uint32_t word = 0;
#pragma unroll
    for (int n = 0; n < count; ++n) {
      if (n % 4 == 0) word = at.kept(query + 8 * r, key + 8 * n);
#pragma unroll
      for (int e = 0; e < 2; ++e) s[n][2 * r + e] *= at.factor(word, key + 8 * n + e);
    }
  }
}

template <class T, int width>
__global__ void __launch_bounds__(threads) forward(const Operands<T> o) {
  constexpr int step_rows = other_rows<width>;
  auto& tiles = shared<ForwardTiles<T, width>>();
  const Place place(o);
  const Head<T> at(o, place.head, place.sequence);
  if (place.own >= at.length) return;
  const int first = place.own + warp_first(), query = first + lane() / 4;
  float context[width / 8][4] = {};
  Softmax rows[2];
  const auto arrive = [&](int step) {
    if (step == 0) fetch<threads>(tiles.query, at.query(), place.own, at.length, o.head_width);
    fetch<threads>(tiles.key[step % 2], at.key(), step * step_rows, at.length, o.head_width);
    fetch<threads>(tiles.value[step % 2], at.value(), step * step_rows, at.length, o.head_width);
  };
  pipeline((at.length + step_rows - 1) / step_rows, arrive, [&](int step) {
    if (first >= at.length) return;
    const int key = step * step_rows + 2 * (lane() % 4);
    float s[step_rows / 8][4] = {};
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

/// What is known of a query.
struct Query {
  float logsumexp = 0, along = 0;
  std::uint32_t kept = 0;  ///< about the keys at hand
};

template <class T>
__device__ Query known(const Head<T>& at, int i) {
  const std::int64_t index = at.first + min(i, at.length - 1);
  return {at.o.logsumexp[index], at.o.along[index], 0};
}

/// From products q . k and dcontext . v of own and other rows: dropout(A) and dS, both 0 where there is no such row.
/// own, other: the lane's first of each; rows: its queries, where it owns them.
template <bool own_keys, class T, int count>
__device__ void differentiate(const Head<T>& at, int own, int other, Query (&rows)[2], float (&s)[count][4],
                              float (&d)[count][4]) {
#pragma unroll
  for (int n = 0; n < count; ++n) {
    Query columns[2];
#pragma unroll
    for (int e = 0; e < 2; ++e) {
      const int i = own_keys ? other + 8 * n + e : own + 8 * e;
      if (own_keys) columns[e] = known(at, i);
      if (own_keys) columns[e].kept = at.kept(i, own);  // an own tile of a warp lies within a word
      if (!own_keys && n % 4 == 0) rows[e].kept = at.kept(i, other + 8 * n);
    }
#pragma unroll
    for (int e = 0; e < 4; ++e) {
      const int of_own = own + 8 * (e / 2), of_other = other + 8 * n + e % 2;
      const int i = own_keys ? of_other : of_own, j = own_keys ? of_own : of_other;
      const Query& query = own_keys ? columns[e % 2] : rows[e / 2];
      const bool inside = at.inside(i, j);
      const float probability = inside ? exp2f(at.score(s[n][e], i, j) - query.logsumexp) : 0.0F;
      const float mask = at.factor(query.kept, j);
      s[n][e] = probability * mask;
      d[n][e] = inside ? probability * (mask * d[n][e] - query.along) : 0.0F;
    }
  }
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
  Tile<T, other_rows<width>, width> left[2], right[2];
};

/// dq, and `along` for the launches after it; or, with own keys, dk and dv.
template <class T, int width, bool own_keys>
__global__ void __launch_bounds__(threads) backward(const Operands<T> o) {
  constexpr int step_rows = other_rows<width>;
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
    fetch<threads>(tiles.left[step % 2], left[!own_keys], step * step_rows, at.length, o.head_width);
    fetch<threads>(tiles.right[step % 2], right[!own_keys], step * step_rows, at.length, o.head_width);
  };
  pipeline((at.length + step_rows - 1) / step_rows, arrive, [&](int step) {
    if (first >= at.length) return;
    if (!own_keys && step == 0) sum_along(at, tiles.own_right, first, rows);
    float s[step_rows / 8][4] = {}, d[step_rows / 8][4] = {};
    multiply_transposed(tiles.own_left, warp_first(), tiles.left[step % 2], s);
    multiply_transposed(tiles.own_right, warp_first(), tiles.right[step % 2], d);
    differentiate<own_keys>(at, first + lane() / 4, step * step_rows + 2 * (lane() % 4), rows, s, d);
    if constexpr (own_keys) multiply(s, tiles.right[step % 2], of_right);
    multiply(d, tiles.left[step % 2], of_left);
  });
  if (first >= at.length) return;
  store(at.view(o.result, own_keys ? 1 : 0, 3), first, at.length, o.head_width, of_left, {o.scale, o.scale});
  if constexpr (own_keys) store(at.view(o.result, 2, 3), first, at.length, o.head_width, of_right, {1.0F, 1.0F});
}

template <class T, int width>
struct BiasTiles {
  Tile<T, own_rows, width> query, dcontext;
  Tile<T, other_rows<width>, width> key, value;
};

/// sums [parts, H, T, T] += sum of dS over the sequences of a part, in order; or = with `anew`. A block a tile of
/// queries and keys and a part.
template <class T, int width>
__global__ void __launch_bounds__(threads) backward_bias(const Operands<T> o, float* sums, bool anew) {
  constexpr int step_rows = other_rows<width>, blocks = step_rows / 8;
  auto& tiles = shared<BiasTiles<T, width>>();
  const int key_tiles = (o.length + step_rows - 1) / step_rows, index = static_cast<int>(blockIdx.x);
  const int key_first = index % key_tiles * step_rows, query_first = index / key_tiles % o.tiles * own_rows;
  const int head = index / key_tiles / o.tiles;
  const int query = query_first + warp_first() + lane() / 4, key = key_first + 2 * (lane() % 4);
  float* out = sums + (std::int64_t{blockIdx.y} * o.heads + head) * o.length * o.length;
  const auto for_elements = [&](const auto& body) {
#pragma unroll
    for (int n = 0; n < blocks; ++n) {
#pragma unroll
      for (int e = 0; e < 4; ++e) {
        const int i = query + 8 * (e / 2), j = key + 8 * n + e % 2;
        if (i < o.length && j < o.length) body(n, e, i * o.length + j);
      }
    }
  };
  float total[blocks][4] = {};
  if (!anew) for_elements([&](int n, int e, int at) { total[n][e] = out[at]; });
  const RowRange sequences(o.sequences, blockIdx.y, gridDim.y);
  for (std::int64_t b = sequences.begin; b < sequences.end; ++b) {
    const Head<T> at(o, head, static_cast<int>(b));
    if (max(query_first, key_first) >= at.length) continue;
    __syncthreads();  // all have read the sequence before
    fetch<threads>(tiles.query, at.query(), query_first, at.length, o.head_width);
    fetch<threads>(tiles.dcontext, at.dcontext(), query_first, at.length, o.head_width);
    fetch<threads>(tiles.key, at.key(), key_first, at.length, o.head_width);
    fetch<threads>(tiles.value, at.value(), key_first, at.length, o.head_width);
    copy_commit();
    copy_wait<0>();
    __syncthreads();
    if (query_first + warp_first() >= at.length) continue;
    float s[blocks][4] = {}, d[blocks][4] = {};
    multiply_transposed(tiles.query, warp_first(), tiles.key, s);
    multiply_transposed(tiles.dcontext, warp_first(), tiles.value, d);
    Query rows[2] = {known(at, query), known(at, query + 8)};
    differentiate<false>(at, query, key, rows, s, d);
#pragma unroll
    for (int n = 0; n < blocks; ++n) {
#pragma unroll
      for (int e = 0; e < 4; ++e) total[n][e] += d[n][e];
    }
  }
  for_elements([&](int n, int e, int at) { out[at] = total[n][e]; });
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

std::int64_t tiles_of(std::int64_t length) {
  return (length + own_rows - 1) / own_rows;
}
std::int64_t words_of(std::int64_t length) {
  return (length + 31) / 32;
}

/// Divides one piece of memory.
class Pieces {
 public:
  explicit Pieces(std::uint8_t* base) : base_(base) {}
  template <class Element>
  Element* take(std::int64_t count) {
    constexpr std::int64_t alignment = 128;
    const std::int64_t start = bytes_;
    bytes_ += (count * static_cast<std::int64_t>(sizeof(Element)) + alignment - 1) / alignment * alignment;
    return base_ == nullptr ? nullptr : reinterpret_cast<Element*>(base_ + start);
  }
  std::int64_t bytes() const { return bytes_; }

 private:
  std::uint8_t* base_;
  std::int64_t bytes_ = 0;
};

/// What forward keeps.
struct Saved : Pieces {
  std::int32_t* biased;
  float* bias;
  float* logsumexp;
  std::uint32_t* kept;
  std::uint8_t* context;
  Saved(const AttentionShape& shape, DType type, std::uint8_t* base)
      : Pieces(base),
        biased(take<std::int32_t>(1)),
        bias(take<float>(shape.heads * shape.length * shape.length)),
        logsumexp(take<float>(shape.heads * shape.rows)),
        kept(take<std::uint32_t>(shape.heads * shape.rows * words_of(shape.length))),
        context(take<std::uint8_t>(shape.rows * shape.heads * shape.head_width *
                                   static_cast<std::int64_t>(size_of(type)))) {}
};

struct Workspace : Pieces {
  std::int64_t parts;  ///< of the sequences, at most, whose sums of dS are added up afterwards: enough for a large GPU
  float* along;
  float* sums;
  Workspace(const AttentionShape& shape, std::uint8_t* base)
      : Pieces(base),
        parts(std::clamp<std::int64_t>(
            512 / std::max<std::int64_t>(1, shape.heads * tiles_of(shape.length) * tiles_of(shape.length)), 1, 8)),
        along(take<float>(shape.heads * shape.rows)),
        sums(take<float>(parts > 1 ? parts * shape.heads * shape.length * shape.length : 0)) {}
};

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
    o.rows = shape.rows;
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
    const std::int64_t square = dbias.elements(), keys = other_rows<width>;
    const std::int64_t parts = std::clamp<std::int64_t>(o.sequences / least, 1, call.workspace.parts);
    const std::int64_t blocks = o.heads * o.tiles * ((o.length + keys - 1) / keys);
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
    if (!call.empty() && dropout.rate > 0)
      launch(draw, grid_over(shape.heads * shape.rows * o.words), call.stream, DropoutView(dropout, shape.rows),
             shape.rows, o.heads, o.length, o.words, call.saved.kept);
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

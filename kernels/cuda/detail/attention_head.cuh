#pragma once
// One head of one sequence, as the blocks of attention's kernels see it.

#include "kernels/cuda/detail/attention_memory.hpp"
#include "kernels/cuda/detail/attention_tiles.cuh"

namespace tenfold::cuda::attention {

constexpr int threads = own_rows / warp_rows * 32;
constexpr float log2e = 1.4426950408889634F;

/// Of every kernel here.
template <class T>
struct Operands {
  const std::int32_t* offsets;
  int sequences;
  const T* qkv;
  const T* dcontext;
  const float* bias;           ///< [H, T, T], or null
  const std::int32_t* biased;  ///< in backward: 0 if there is no bias after all
  float* logsumexp;            ///< [H, stride], of base 2
  float* along;                ///< [H, stride]: sum over j of A dA
  const std::uint32_t* kept;   ///< [H, words, stride]: what dropout keeps, word j / 32, bit j % 32; or null: all
  T* kept_context;             ///< [N, d]
  T* result;                   ///< context or dqkv
  std::int64_t stride;         ///< N, filled up to a multiple of four
  int length, heads, head_width, words, tiles;  ///< tiles: of own rows, in the longest sequence
  float scale, keep_scale;
};

/// One head of one sequence. Scores are of base 2.
template <class T>
struct Head {
  const Operands<T>& o;
  int head, length;
  std::int64_t row;    ///< of the sequence's first token
  std::int64_t first;  ///< the same in [H, stride]
  const float* bias;
  float scale = o.scale * log2e;

  __device__ Head(const Operands<T>& operands, int which, int sequence)
      : o(operands),
        head(which),
        length(o.offsets[sequence + 1] - o.offsets[sequence]),
        row(o.offsets[sequence]),
        first(head * o.stride + row),
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
  __device__ float factor(std::uint32_t kept, int bit) const { return (kept >> bit & 1U) != 0 ? o.keep_scale : 0.0F; }
};

/// Whether dropout keeps queries i and i + 8 for `keys` keys from j on, a multiple of 32; of what is not there it tells
/// anything.
template <int keys>
struct KeptWords {
  std::uint32_t word[2][keys / 32];
  template <class T>
  __device__ KeptWords(const Head<T>& at, int i, int j) {
#pragma unroll
    for (int w = 0; w < keys / 32; ++w) {
      const int index = min(j / 32 + w, at.o.words - 1);
#pragma unroll
      for (int r = 0; r < 2; ++r)
        word[r][w] = at.o.kept == nullptr
                         ? ~std::uint32_t{0}
                         : __ldg(at.o.kept + (std::int64_t{at.head} * at.o.words + index) * at.o.stride + at.row +
                                 min(i + 8 * r, at.length - 1));
    }
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

/// The warp's first row among the block's own.
__device__ inline int warp_first() {
  return static_cast<int>(threadIdx.x) / 32 * warp_rows;
}

}  // namespace tenfold::cuda::attention

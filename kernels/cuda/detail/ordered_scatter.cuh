#pragma once
// Rows added into rows of a table, many into one, in the order of their numbers and without atomics on floats: the
// gradient of a look-up. The same operands give the same bits each time.
//
// 1. Pairs (target, source) are sorted by target, stably, eight bits of the target a pass (LSD radix sort): a kernel
//    counts the digits of each tile of 2048 pairs, a second ranks the pairs of a tile and puts them in place. Each pass
//    reads the pairs twice and writes them once; two passes do for 65,535 targets.
// 2. The sorted pairs are cut into windows of 64, a block each. Sources of one target in a window are summed in order
//    and added to the table, so a frequent target is the work of many blocks. Sums of a target that goes on beyond the
//    window are kept apart, at most two a window, and
// 3. added in order of windows.
// Each source row is read once and each table row that occurs is read and written once; beside these there is scratch
// of 16 bytes a source and a 32nd of the size of the source rows in f32. Nobody waits for the device.

#include "kernels/cuda/detail/operands.cuh"
#include "kernels/cuda/detail/vectors.cuh"

namespace tenfold::cuda {

/// Sources in the order of their targets, of equal targets in their own order; those without a target come last.
struct SortedSources {
  const int2* pairs;     ///< (target, source)
  int count;             ///< sources
  std::int32_t targets;  ///< their number; a pair whose target is none of them (-1) is passed over
};

namespace detail {

constexpr int digits = 256;  ///< a thread each where a block deals with all
constexpr int scatter_warps = threads_a_block / 32;
constexpr int rounds = 8;  ///< of a warp in a tile, 32 pairs each
constexpr int tile = rounds * threads_a_block;
constexpr int window = 64;
static_assert(digits == threads_a_block);

inline int tiles_of(std::int64_t count) {
  return static_cast<int>((count + tile - 1) / tile);
}
inline int windows_of(std::int64_t count) {
  return static_cast<int>((count + window - 1) / window);
}

/// The pairs of one pass: in the first as they come, a target(i) for each source.
template <class Target>
struct Unsorted {
  Target target;
  const int2* pairs;  ///< null in the first pass
  int count, shift;   ///< the digit begins at this bit

  __device__ int2 operator()(int i) const { return pairs == nullptr ? int2{target(i), i} : pairs[i]; }
  __device__ unsigned digit(int of) const { return static_cast<unsigned>(of) >> shift & (digits - 1U); }
};

struct DigitCounts {
  int of_digit[digits];
};

/// counts[t][digit] for each tile t.
template <class Target>
__global__ void __launch_bounds__(threads_a_block) count_digits(const Unsorted<Target> unsorted, int* counts) {
  DigitCounts& block = shared<DigitCounts>();
  block.of_digit[threadIdx.x] = 0;
  __syncthreads();
  const int begin = static_cast<int>(blockIdx.x) * tile, end = min(unsorted.count - begin, tile) + begin;
  for (int i = begin + static_cast<int>(threadIdx.x); i < end; i += threads_a_block)
    atomicAdd(&block.of_digit[unsorted.digit(unsorted(i).x)], 1);
  __syncthreads();
  counts[blockIdx.x * digits + threadIdx.x] = block.of_digit[threadIdx.x];
}

struct Places {
  int of_warp[scatter_warps][digits];  ///< pairs of a digit that a warp has; then where its first one goes
  int total[scatter_warps];            ///< of 32 digits
};

/// Lanes that hold the same digit.
__device__ inline unsigned same_digit(unsigned digit) {
  unsigned lanes = 0xffffffffU;
#pragma unroll
  for (unsigned bit = 1; bit < digits; bit *= 2) {
    const bool set = (digit & bit) != 0;
    const unsigned votes = __ballot_sync(0xffffffffU, set);
    lanes &= set ? votes : ~votes;
  }
  return lanes;
}

/// Of the thread's digit: where the first pair of this tile goes, behind all smaller digits and all earlier tiles.
__device__ inline int first_place(const int* counts, int (&total)[scatter_warps]) {
  int before = 0, all = 0;
#pragma unroll 8
  for (unsigned t = 0; t < gridDim.x; ++t) {
    const int count = counts[t * digits + threadIdx.x];
    if (t < blockIdx.x) before += count;
    all += count;
  }
  const unsigned lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  int smaller = all;  // sum over the digits of the warp up to this one
#pragma unroll
  for (unsigned step = 1; step < 32; step *= 2) {
    const int other = __shfl_up_sync(0xffffffffU, smaller, step);
    if (lane >= step) smaller += other;
  }
  if (lane == 31) total[warp] = smaller;
  __syncthreads();
  for (unsigned w = 0; w < warp; ++w) smaller += total[w];
  return smaller - all + before;
}

/// A warp has rounds * 32 pairs in a row and counts those of a digit as it comes to them, which keeps their order.
template <class Target>
__global__ void __launch_bounds__(threads_a_block)
    place_pairs(const Unsorted<Target> unsorted, const int* counts, int2* sorted) {
  Places& places = shared<Places>();
  const unsigned lane = threadIdx.x % 32;
  int(&mine)[digits] = places.of_warp[threadIdx.x / 32];
#pragma unroll
  for (unsigned d = 0; d < digits; d += 32) mine[d + lane] = 0;
  __syncwarp();
  const int begin = static_cast<int>(blockIdx.x) * tile + static_cast<int>(threadIdx.x / 32) * rounds * 32;
  int2 pair[rounds];
  int rank[rounds];
#pragma unroll
  for (int r = 0; r < rounds; ++r) {
    if (begin + r * 32 >= unsorted.count) break;
    const int i = begin + r * 32 + static_cast<int>(lane);
    const bool valid = i < unsorted.count;
    pair[r] = valid ? unsorted(i) : int2{-1, -1};
    const unsigned digit = unsorted.digit(pair[r].x);
    const unsigned lanes = same_digit(digit) & __ballot_sync(0xffffffffU, valid);
    const int before = mine[digit];
    rank[r] = before + __popc(lanes & ((1U << lane) - 1));
    __syncwarp();
    if (valid && __ffs(static_cast<int>(lanes)) - 1 == static_cast<int>(lane)) mine[digit] = before + __popc(lanes);
    __syncwarp();
  }
  int place = first_place(counts, places.total);  // holds the barrier that makes all warps' counts visible
#pragma unroll
  for (int w = 0; w < scatter_warps; ++w) {
    const int count = places.of_warp[w][threadIdx.x];
    places.of_warp[w][threadIdx.x] = place;
    place += count;
  }
  __syncthreads();
#pragma unroll
  for (int r = 0; r < rounds; ++r)
    if (begin + r * 32 + static_cast<int>(lane) < unsorted.count)
      sorted[mine[unsorted.digit(pair[r].x)] + rank[r]] = pair[r];
}

/// A window's pairs, and those just before and behind it.
struct Window {
  std::int32_t target[window + 2];
  std::int32_t source[window];
  int first[window + 1];  ///< where the sources of another target begin, and the end of the last ones
  int runs;
};

__device__ inline bool is_target(const SortedSources& sorted, std::int32_t target) {
  return static_cast<std::uint32_t>(target) < static_cast<std::uint32_t>(sorted.targets);
}

/// Warp 0 alone.
__device__ inline void find_runs(const SortedSources& sorted, Window& own) {
  const unsigned lane = threadIdx.x;
  int runs = 0, end = 0;
#pragma unroll
  for (unsigned half = 0; half < window; half += 32) {
    const int i = static_cast<int>(half + lane);
    const bool valid = is_target(sorted, own.target[i + 1]);
    const bool begins = valid && (i == 0 || own.target[i] != own.target[i + 1]);
    const unsigned all = __ballot_sync(0xffffffffU, begins);
    end += __popc(__ballot_sync(0xffffffffU, valid));
    if (begins) own.first[runs + __popc(all & ((1U << lane) - 1))] = i;
    runs += __popc(all);
  }
  if (lane != 0) return;
  own.first[runs] = end;
  own.runs = runs;
}

/// partials: [windows, 2, width]: sums of a target that began before the window, and of one that begins in it and goes
/// on. A warp takes 256 columns of one target's sources.
template <class Source>
__global__ void __launch_bounds__(threads_a_block, 4)
    sum_windows(const SortedSources sorted, const Source source, float* partials, float* table, int width) {
  Window& own = shared<Window>();
  const std::int64_t begin = std::int64_t{blockIdx.x} * window;
  if (threadIdx.x < window + 2) {
    const std::int64_t i = begin + threadIdx.x - 1;
    const int2 pair = i >= 0 && i < sorted.count ? sorted.pairs[i] : int2{-1, -1};
    own.target[threadIdx.x] = pair.x;
    if (threadIdx.x >= 1 && threadIdx.x <= window) own.source[threadIdx.x - 1] = pair.y;
  }
  __syncthreads();
  if (threadIdx.x < 32) find_runs(sorted, own);
  __syncthreads();
  const int pieces = (width + 255) / 256, runs = own.runs;
  for (int unit = static_cast<int>(threadIdx.x / 32); unit < runs * pieces; unit += scatter_warps) {
    const int run = unit / pieces, column = unit % pieces * 256 + static_cast<int>(threadIdx.x % 32) * 8;
    if (column >= width) continue;
    const int from = own.first[run], to = own.first[run + 1];
    float sum[8] = {};
#pragma unroll 4
    for (int i = from; i < to; ++i) {
      float values[8];
      source(own.source[i], column, values);
#pragma unroll
      for (int e = 0; e < 8; ++e) sum[e] += values[e];
    }
    const std::int32_t target = own.target[from + 1];
    if (from == 0 && own.target[0] == target) {
      store8(partials + 2 * std::int64_t{blockIdx.x} * width, column, width, sum);
    } else if (to == window && own.target[window + 1] == target) {
      store8(partials + (2 * std::int64_t{blockIdx.x} + 1) * width, column, width, sum);
    } else {
      float kept[8];
      load8(table + std::int64_t{target} * width, column, width, kept);
#pragma unroll
      for (int e = 0; e < 8; ++e) sum[e] += kept[e];
      store8(table + std::int64_t{target} * width, column, width, sum);
    }
  }
}

/// A block a window and 256 columns: adds up the target that begins in this window and goes on, if there is one.
static __global__ void __launch_bounds__(threads_a_block)
    add_windows(const SortedSources sorted, const float* partials, float* table, int width) {
  const int first = static_cast<int>(blockIdx.x), windows = static_cast<int>(gridDim.x);
  const int column = static_cast<int>(blockIdx.y * threads_a_block + threadIdx.x);
  if (first + 1 == windows || column >= width) return;
  const auto target_at = [&](std::int64_t i) { return sorted.pairs[i].x; };
  const std::int64_t begin = std::int64_t{first} * window;
  const std::int32_t target = target_at(begin + window);
  if (!is_target(sorted, target) || target_at(begin + window - 1) != target) return;
  if (first > 0 && target_at(begin - 1) == target) return;  // it began earlier
  int last = first + 1;                                     // window that it reaches
  for (int end = windows; end - last > 1;) {
    const int middle = last + (end - last) / 2;
    (target_at(std::int64_t{middle} * window) == target ? last : end) = middle;
  }
  float sum = partials[(2 * std::int64_t{first} + 1) * width + column];
#pragma unroll 8
  for (int w = first + 1; w <= last; ++w) sum += partials[2 * std::int64_t{w} * width + column];
  table[std::int64_t{target} * width + column] += sum;
}

/// Multiples of 16 bytes, for what comes behind.
inline std::int64_t aligned(std::int64_t bytes) {
  return (bytes + 15) / 16 * 16;
}

}  // namespace detail

/// Scratch of sort_sources, in bytes.
inline std::int64_t sort_bytes(std::int64_t count) {
  return 2 * detail::aligned(count * std::int64_t{sizeof(int2)}) +
         detail::tiles_of(count) * std::int64_t{detail::digits * sizeof(int)};
}
/// Scratch of add_sorted, in bytes.
inline std::int64_t partial_bytes(std::int64_t count, std::int64_t width) {
  return detail::aligned(2 * detail::windows_of(count) * width * std::int64_t{sizeof(float)});
}

/// Target is a function object that a kernel can take: target(i) is the target of source i, below `limit`, or -1: none.
/// The result lies in `scratch`, which is aligned to 16 bytes.
template <class Target>
SortedSources sort_sources(cudaStream_t stream, const Target& target, std::int64_t count, std::int64_t limit,
                           std::byte* scratch) {
  TENFOLD_VERIFY(count < std::int64_t{1} << 30 && limit <= INT32_MAX, count, " sources of ", limit, " targets");
  const std::int64_t bytes = detail::aligned(count * std::int64_t{sizeof(int2)});
  int2* buffers[2] = {reinterpret_cast<int2*>(scratch), reinterpret_cast<int2*>(scratch + bytes)};
  int* counts = reinterpret_cast<int*>(scratch + 2 * bytes);
  const Grid grid{dim3(static_cast<unsigned>(detail::tiles_of(count))), dim3(threads_a_block)};
  Grid counting = grid, placing = grid;
  counting.shared = sizeof(detail::DigitCounts);
  placing.shared = sizeof(detail::Places);
  const int2* pairs = nullptr;
  // -1 has the greatest digits, and one pass more where they would be those of a target.
  for (int shift = 0; count > 0 && (shift == 0 || limit >> shift > 0); shift += 8) {
    int2* sorted = buffers[shift / 8 % 2];
    const detail::Unsorted<Target> unsorted{target, pairs, static_cast<int>(count), shift};
    launch(detail::count_digits<Target>, counting, stream, unsorted, counts);
    launch(detail::place_pairs<Target>, placing, stream, unsorted, counts, sorted);
    pairs = sorted;
  }
  return {pairs, static_cast<int>(count), static_cast<std::int32_t>(limit)};
}

/// table[target] += sum of its sources, in their order. table: f32 [targets, width]. Source is a function object that a
/// kernel can take: source(i, column, values) puts elements [column, column + 8) of source i into float (&values)[8],
/// column a multiple of eight, and 0 behind the end of the row.
template <class Source>
void add_sorted(cudaStream_t stream, const SortedSources& sorted, const Source& source, std::int64_t width,
                float* table, std::byte* scratch) {
  if (sorted.count == 0 || width == 0) return;
  auto* partials = reinterpret_cast<float*>(scratch);
  const auto windows = static_cast<unsigned>(detail::windows_of(sorted.count));
  const int columns = static_cast<int>(width);
  launch(detail::sum_windows<Source>, Grid{dim3(windows), dim3(threads_a_block), sizeof(detail::Window)}, stream,
         sorted, source, partials, table, columns);
  const auto pieces = static_cast<unsigned>((columns + threads_a_block - 1) / threads_a_block);
  launch(detail::add_windows, Grid{dim3(windows, pieces), dim3(threads_a_block)}, stream, sorted, partials, table,
         columns);
}

/// Both, with scratch of ordered_scatter_bytes.
inline std::int64_t ordered_scatter_bytes(std::int64_t count, std::int64_t width) {
  return sort_bytes(count) + partial_bytes(count, width);
}
template <class Target, class Source>
void ordered_scatter(cudaStream_t stream, const Target& target, std::int64_t count, std::int64_t limit,
                     const Source& source, std::int64_t width, float* table, std::byte* scratch) {
  const SortedSources sorted = sort_sources(stream, target, count, limit, scratch + partial_bytes(count, width));
  add_sorted(stream, sorted, source, width, table, scratch);
}

}  // namespace tenfold::cuda

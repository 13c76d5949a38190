// The products of some rows at a time go to the workspace; a block a row then draws from them.

#include <numbers>

#include "kernels/cuda/detail/softmax_draws.cuh"
#include "kernels/detail/draw_candidates.hpp"
#include "kernels/draw_candidates.hpp"
#include "kernels/linear.hpp"

namespace tenfold::kernels {

namespace {

using namespace ::tenfold::cuda;

/// The rows of one product, and what lies where in the workspace.
struct Chunks {
  std::int64_t rows;
  std::int64_t logits_bytes;  ///< [rows, V], f32
  std::int64_t bytes;         ///< and the tokens without mass

  explicit Chunks(const DrawExtent& extent) {
    constexpr std::int64_t most_rows = 2048, most_logits = std::int64_t{64} << 20, line = 256;
    rows = std::clamp(most_logits / extent.vocabulary / row_block * row_block, row_block, most_rows);
    logits_bytes = (4 * rows * extent.vocabulary + line - 1) / line * line;
    bytes = logits_bytes + 4 * extent.words();
  }
};

struct Job {
  float* logits;  ///< of rows from `first` on
  std::int64_t first;
  std::int64_t vocabulary;
  const std::uint32_t* without;
  int blocks;
  const std::int32_t* truth;
  bool replace;
  const float* temperature;
  const std::int32_t* count;
  std::int32_t* negatives;
  int slots;
};

/// A block a row.
template <int capacity>
__global__ void __launch_bounds__(draw_threads) draw(const Job o, const DrawsView draws) {
  auto& masses = shared<RowMasses<capacity>>();
  const std::int64_t n = o.first + blockIdx.x;
  std::int32_t* negatives = o.negatives + n * o.slots;
  if (!draws.has(n)) {
    for (int slot = static_cast<int>(threadIdx.x); slot < o.slots; slot += draw_threads) negatives[slot] = -1;
    return;
  }
  float* logits = o.logits + blockIdx.x * o.vocabulary;
  const std::int32_t truth = o.truth[n];
  if (!o.replace && truth >= 0 && truth < o.vocabulary) {
    if (threadIdx.x == 0) logits[truth] = removed;
    __syncthreads();
  }
  const DrawRow row{logits,     o.without,      o.blocks, std::numbers::log2e_v<float> / *o.temperature,
                    masses.sum, masses.exponent};
  draw_tokens(row, draws.stream(n), min(*o.count, o.slots), o.replace, o.slots, negatives);
}

}  // namespace

namespace cuda {

std::int64_t candidate_workspace_bytes(DeviceKind /*device*/, std::int64_t vocabulary, std::int64_t /*width*/,
                                       DType /*type*/) {
  return Chunks(DrawExtent{vocabulary}).bytes;
}

void draw_candidates(Queue& queue, const Tensor& hidden, const Tensor& table, const Tensor& bias, const Tensor& truth,
                     const Tensor& excluded, const CandidateDraws& draws, const Tensor& temperature,
                     const Tensor& count, const Tensor& negatives, const Tensor& workspace) {
  const Queue::Region region(queue, "tenfold::draw_candidates::forward");
  detail::expect_draw_candidates(hidden, table, bias, truth, excluded, draws, temperature, count, negatives);
  const DrawsView view(draws.draws, hidden[0], "draw_candidates: rows");
  const DrawExtent extent{table[0]};
  const Chunks chunks(extent);
  expect(workspace, DType::u8, {chunks.bytes}, "draw_candidates: workspace");
  auto* memory = static_cast<std::byte*>(workspace.raw());
  Job job{reinterpret_cast<float*>(memory),
          0,
          extent.vocabulary,
          reinterpret_cast<std::uint32_t*>(memory + chunks.logits_bytes),
          extent.blocks(),
          truth.data<std::int32_t>(),
          draws.with_replacement,
          temperature.data<float>(),
          count.data<std::int32_t>(),
          negatives.data<std::int32_t>(),
          static_cast<int>(negatives[1])};
  mark_without(stream_of(queue), excluded, extent, reinterpret_cast<std::uint32_t*>(memory + chunks.logits_bytes));
  for (; job.first < hidden[0]; job.first += chunks.rows) {
    const std::int64_t rows = std::min(chunks.rows, hidden[0] - job.first);
    linear_forward(queue, hidden.rows(job.first, rows), table, bias,
                   Tensor(job.logits, DType::f32, {rows, extent.vocabulary}, DeviceKind::cuda));
    by_capacity(extent, [&]<int capacity>() {
      launch(draw<capacity>, Grid{dim3(static_cast<unsigned>(rows)), dim3(draw_threads), sizeof(RowMasses<capacity>)},
             stream_of(queue), job, view);
    });
  }
}

}  // namespace cuda

const Implementation candidate_workspace_bytes_on_cuda{candidate_workspace_bytes, DeviceKind::cuda,
                                                       cuda::candidate_workspace_bytes};
const Implementation draw_candidates_on_cuda{draw_candidates, DeviceKind::cuda, cuda::draw_candidates};

}  // namespace tenfold::kernels

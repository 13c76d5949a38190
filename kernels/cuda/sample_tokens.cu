#include <numbers>

#include "kernels/cuda/detail/softmax_draws.cuh"
#include "kernels/detail/sample_tokens.hpp"
#include "kernels/sample_tokens.hpp"

namespace tenfold::kernels {

namespace {

using namespace ::tenfold::cuda;

struct Job {
  float* logits;
  std::int64_t vocabulary;
  const std::uint32_t* without;
  int blocks;
  const std::int32_t* places;
  const std::int32_t* count;
  std::int64_t first;
  std::int32_t* tokens;
};

/// A block a row, valid or not.
template <int capacity>
__global__ void __launch_bounds__(draw_threads) sample(const Job o, const DrawsView draws) {
  auto& masses = shared<RowMasses<capacity>>();
  const std::int64_t r = blockIdx.x;
  if (r >= *o.count - o.first) {
    if (threadIdx.x == 0) o.tokens[r] = -1;
    return;
  }
  const DrawRow row{o.logits + r * o.vocabulary,  o.without,  o.blocks,
                    std::numbers::log2e_v<float>, masses.sum, masses.exponent};
  draw_tokens(row, draws.stream(o.places[r]), 1, true, 1, o.tokens + r);
}

}  // namespace

namespace cuda {

void sample_tokens(Queue& queue, const Tensor& logits, const Tensor& places, std::int64_t first, const Tensor& count,
                   const Tensor& excluded, const Draws& draws, const Tensor& tokens) {
  const Queue::Region region(queue, "tenfold::sample_tokens::forward");
  detail::expect_sample_tokens(logits, places, count, excluded, draws, tokens);
  const DrawsView view(draws, draws.rows.sequence[0], "sample_tokens: rows");
  if (logits[0] == 0) return;
  const DrawExtent extent{logits[1]};
  auto* without = stream_queue(queue).scratch<std::uint32_t>(extent.words());
  mark_without(stream_of(queue), excluded, extent, without);
  const Job job{logits.data<float>(),        extent.vocabulary,          without, extent.blocks(),
                places.data<std::int32_t>(), count.data<std::int32_t>(), first,   tokens.data<std::int32_t>()};
  by_capacity(extent, [&]<int capacity>() {
    launch(sample<capacity>,
           Grid{dim3(static_cast<unsigned>(logits[0])), dim3(draw_threads), sizeof(RowMasses<capacity>)},
           stream_of(queue), job, view);
  });
}

}  // namespace cuda

const Implementation sample_tokens_on_cuda{sample_tokens, DeviceKind::cuda, cuda::sample_tokens};

}  // namespace tenfold::kernels

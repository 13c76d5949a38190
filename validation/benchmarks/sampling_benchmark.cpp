#include <algorithm>
#include <ctime>

#include "base/random.hpp"
#include "kernels/candidates.hpp"
#include "kernels/gumbel.hpp"
#include "kernels/linear.hpp"
#include "op_benchmark.hpp"

namespace tenfold::benchmarks {
namespace {

double seconds(const auto& body) {
  const std::clock_t begin = std::clock();
  body();
  return static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC;
}

double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

/// Nine candidates a position beside the bare product [N, d] x [d, V] that they need, turn by turn.
void draw_candidates(benchmark::State& state) {
  OpBenchmark op(state);
  const std::int64_t rows = op.tokens(), depth = state.range(2);
  const Tensor hidden = op.random({rows, depth}), table = op.random({vocabulary, depth});
  const Tensor bias = op.random(DType::f32, {vocabulary}), logits = op.zeros({rows, vocabulary});
  const Tensor truth = op.zeros(DType::i32, {rows}), lengths = op.full_lengths();
  const Tensor excluded = op.values<std::int32_t>({4}, {0, 2, 4, 5});
  std::vector<std::int64_t> samples(static_cast<std::size_t>(op.batch()));
  for (std::size_t b = 0; b < samples.size(); ++b) samples[b] = static_cast<std::int64_t>(b);
  const kernels::CandidateDraws draws{
      {stream_key(1, "benchmark"), op.values<std::int64_t>({1}, {3}), op.values({op.batch()}, samples), length}, false};
  const Tensor temperature = op.values<float>({1}, {std::sqrt(static_cast<float>(depth))}),
               count = op.values<std::int32_t>({1}, {9}), negatives = op.zeros(DType::i32, {rows, 9});
  const Tensor workspace =
      op.zeros(DType::u8, {kernels::candidate_workspace_bytes(vocabulary, depth, hidden.dtype())});
  std::vector<double> product, whole;
  for (auto _ : state) {
    product.push_back(seconds([&] { kernels::linear_forward(op.queue(), hidden, table, bias, logits); }));
    whole.push_back(seconds([&] {
      kernels::draw_candidates(op.queue(), hidden, table, bias, truth, lengths, excluded, draws, temperature, count,
                               negatives, workspace);
    }));
    state.SetIterationTime(whole.back());
  }
  state.counters["over_product"] = median(whole) / median(product);
  state.counters["product_s"] = median(product) / static_cast<double>(rows);
  op.count_tokens();
}
BENCHMARK(draw_candidates)
    ->ArgNames({"batch", "bf16", "width"})
    ->ArgsProduct({{8, 32}, {0, 1}, {64, 128, 256}})
    ->Unit(benchmark::kMicrosecond)
    ->UseManualTime();

}  // namespace
}  // namespace tenfold::benchmarks

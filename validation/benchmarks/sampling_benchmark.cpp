#include <algorithm>
#include <cmath>
#include <ctime>

#include "base/random.hpp"
#include "kernels/candidates.hpp"
#include "kernels/draw_candidates.hpp"
#include "kernels/linear.hpp"
#include "kernels/notes.hpp"
#include "kernels/replaced_tokens.hpp"
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

/// What keys the draws of a micro-batch.
kernels::Draws keys(OpBenchmark& op) {
  return {op.full_rows(), stream_key(1, "benchmark"), op.values<std::int64_t>({1}, {3})};
}

Tensor special_tokens(OpBenchmark& op) {
  return op.values<std::int32_t>({4}, {0, 2, 4, 5});
}

/// Nine candidates a position beside the bare product [N, d] x [d, V] that they need, turn by turn, in processor time.
void draw_candidates(benchmark::State& state) {
  OpBenchmark op(state);
  const std::int64_t rows = op.tokens(), depth = state.range(2);
  const Tensor hidden = op.random({rows, depth}), table = op.random({vocabulary, depth});
  const Tensor bias = op.random(DType::f32, {vocabulary}), logits = op.zeros({rows, vocabulary});
  const Tensor truth = op.zeros(DType::i32, {rows}), excluded = special_tokens(op);
  const kernels::CandidateDraws draws{keys(op), false};
  const Tensor temperature = op.values<float>({1}, {std::sqrt(static_cast<float>(depth))}),
               count = op.values<std::int32_t>({1}, {9}), negatives = op.zeros(DType::i32, {rows, 9});
  const Tensor workspace =
      op.zeros(DType::u8, {kernels::candidate_workspace_bytes(op.device(), vocabulary, depth, op.type())});
  std::vector<double> product, whole;
  for (auto _ : state) {
    product.push_back(seconds([&] { kernels::linear_forward(op.queue(), hidden, table, bias, logits); }));
    whole.push_back(seconds([&] {
      kernels::draw_candidates(op.queue(), hidden, table, bias, truth, excluded, draws, temperature, count, negatives,
                               workspace);
    }));
    state.SetIterationTime(whole.back());
  }
  state.counters["over_product"] = median(whole) / median(product);
  op.count_tokens();
}
BENCHMARK(draw_candidates)
    ->ArgNames({"batch", "bf16", "width"})
    ->ArgsProduct({{8, 32}, {0, 1}, {64, 128, 256}})
    ->Unit(benchmark::kMicrosecond)
    ->UseManualTime();

/// A token for each selected position, a seventh of all.
void sample_tokens(benchmark::State& state) {
  OpBenchmark op(state);
  const std::int64_t rows = op.tokens() / 7;
  std::vector<std::int32_t> selected(static_cast<std::size_t>(rows));
  for (std::size_t r = 0; r < selected.size(); ++r) selected[r] = static_cast<std::int32_t>(7 * r);
  const Tensor logits = op.random(DType::f32, {rows, vocabulary}), index = op.values({rows}, selected);
  const Tensor count = op.values<std::int32_t>({1}, {static_cast<std::int32_t>(rows)});
  const Tensor tokens = op.zeros(DType::i32, {rows}), excluded = special_tokens(op);
  const kernels::Draws draws = keys(op);
  for (auto _ : state) kernels::sample_tokens(op.queue(), logits, index, 0, count, excluded, draws, tokens);
  op.count_tokens();
}
BENCHMARK(sample_tokens)->Apply(micro_batches);

/// The head of multiple choice: ten candidates a position, NOTA among them.
void candidate_loss(benchmark::State& state) {
  OpBenchmark op(state);
  const std::int64_t rows = op.tokens(), slots = 10;
  std::mt19937 generator(2);
  std::vector<std::int32_t> chosen(static_cast<std::size_t>(rows * slots));
  for (std::size_t i = 0; i < chosen.size(); ++i)
    chosen[i] = i % slots == 0 ? 5 : static_cast<std::int32_t>(generator() % vocabulary);
  const Tensor hidden = op.random({rows, width}), table = op.random({vocabulary, width});
  const Tensor bias = op.random(DType::f32, {vocabulary}), candidates = op.values({rows, slots}, chosen);
  const Tensor labels = op.zeros(DType::i32, {rows});
  const Tensor weight = op.values<float>({1}, {1e-3F}), losses = op.zeros(DType::f32, {rows});
  const Tensor choice = op.zeros(DType::i32, {rows}), dhidden = op.zeros({rows, width});
  const Tensor dtable = op.zeros(DType::f32, table.shape()), dbias = op.zeros(DType::f32, {vocabulary});
  const kernels::PackedRows packed = op.full_rows();
  for (auto _ : state)
    kernels::candidate_loss(op.queue(), hidden, packed, table, bias, candidates, labels, weight, losses, choice,
                            dhidden, dtable, dbias);
  op.count_tokens();
}
BENCHMARK(candidate_loss)->Apply(micro_batches);

void replaced_token_loss(benchmark::State& state) {
  OpBenchmark op(state);
  const std::int64_t rows = op.tokens();
  const Tensor hidden = op.random({rows, width}), w = op.random(DType::f32, {width}), b = op.zeros(DType::f32, {1});
  const Tensor replaced = op.zeros(DType::i32, {rows});
  const Tensor weight = op.values<float>({1}, {1e-3F}), losses = op.zeros(DType::f32, {rows});
  const Tensor predicted = op.zeros(DType::i32, {rows}), dhidden = op.zeros({rows, width});
  const Tensor dw = op.zeros(DType::f32, {width}), db = op.zeros(DType::f32, {1});
  const kernels::PackedRows packed = op.full_rows();
  for (auto _ : state)
    kernels::replaced_token_loss(op.queue(), hidden, packed, w, b, replaced, weight, losses, predicted, dhidden, dw,
                                 db);
  op.count_tokens();
}
BENCHMARK(replaced_token_loss)->Apply(micro_batches);

/// Notes of one token in a hundred, each over three pieces and windows of 17 rows: mixed, pooled and learnt.
void notes(benchmark::State& state) {
  OpBenchmark op(state);
  const std::int64_t count = op.tokens() / 100;
  std::vector<std::int32_t> first, last, window_first, window_last, key, offset{0};
  for (std::int32_t o = 0; o < count; ++o) {
    first.push_back(100 * o + 40);
    last.push_back(100 * o + 43);
    window_first.push_back(100 * o + 33);
    window_last.push_back(100 * o + 50);
    key.push_back(o);
    offset.push_back(o + 1);
  }
  const Tensor x = op.random({op.tokens(), width}), begin = op.values({count}, first), end = op.values({count}, last);
  const Tensor window_begin = op.values({count}, window_first), window_end = op.values({count}, window_last);
  const Tensor row = op.values({count}, key), starts = op.values({count + 1}, offset);
  const Tensor valid = op.values<std::int32_t>({1}, {static_cast<std::int32_t>(count)});
  const Tensor table = op.random(DType::f32, {count, width}), pooled = op.zeros(DType::f32, {count, width});
  for (auto _ : state) {
    kernels::mix_notes(op.queue(), begin, end, valid, table, 0.5F, false, x);
    kernels::pool_windows(op.queue(), x, window_begin, window_end, valid, pooled);
    kernels::update_notes(op.queue(), row, starts, pooled, 0.1F, table);
  }
  op.count_tokens();
}
BENCHMARK(notes)->Apply(micro_batches);

}  // namespace
}  // namespace tenfold::benchmarks

#include "kernels/linear.hpp"
#include "op_benchmark.hpp"

namespace tenfold::benchmarks {
namespace {

void measure_matmul(benchmark::State& state) {
  OpBenchmark op(state);
  const std::int64_t n = state.range(0);
  const auto layout = state.range(2) != 0 ? kernels::OperandLayout::packed : kernels::OperandLayout::row_major;
  for (auto _ : state) state.SetIterationTime(kernels::measure_matmul(op.queue(), op.type(), layout, n, 1));
  op.count_operations(2.0 * static_cast<double>(n * n * n));
}
BENCHMARK(measure_matmul)
    ->ArgNames({"n", "bf16", "packed"})
    ->ArgsProduct({{1024, 2048}, {0, 1}, {0, 1}})
    ->Unit(benchmark::kMicrosecond)
    ->UseManualTime();

struct Map {
  std::int64_t in, out;
};
constexpr Map query_key_value{width, 3 * width}, attention_output{width, width}, up{width, feed_forward},
    down{feed_forward, width};

double operations(const OpBenchmark& op, const Map& map) {
  return 2.0 * static_cast<double>(op.tokens() * map.in * map.out);
}

void linear_forward(benchmark::State& state, Map map) {
  OpBenchmark op(state);
  const Tensor x = op.random({op.tokens(), map.in}), weight = op.random({map.out, map.in});
  const Tensor bias = op.random(DType::f32, {map.out}), y = op.zeros({op.tokens(), map.out});
  for (auto _ : state) kernels::linear_forward(op.queue(), x, weight, bias, y);
  op.count_operations(operations(op, map));
  op.count_tokens();
}

void linear_backward_input(benchmark::State& state, Map map) {
  OpBenchmark op(state);
  const Tensor dy = op.random({op.tokens(), map.out}), weight = op.random({map.out, map.in});
  const Tensor dx = op.zeros({op.tokens(), map.in});
  for (auto _ : state) kernels::linear_backward_input(op.queue(), dy, weight, dx, false);
  op.count_operations(operations(op, map));
  op.count_tokens();
}

void linear_backward_weight(benchmark::State& state, Map map) {
  OpBenchmark op(state);
  const Tensor dy = op.random({op.tokens(), map.out}), x = op.random({op.tokens(), map.in});
  const Tensor dweight = op.zeros(DType::f32, {map.out, map.in}), dbias = op.zeros(DType::f32, {map.out});
  for (auto _ : state) kernels::linear_backward_weight(op.queue(), dy, x, dweight, dbias);
  op.count_operations(operations(op, map));
  op.count_tokens();
}

#define TENFOLD_BENCHMARK_LINEAR(map)                                       \
  BENCHMARK_CAPTURE(linear_forward, map, map)->Apply(micro_batches);        \
  BENCHMARK_CAPTURE(linear_backward_input, map, map)->Apply(micro_batches); \
  BENCHMARK_CAPTURE(linear_backward_weight, map, map)->Apply(micro_batches)

TENFOLD_BENCHMARK_LINEAR(query_key_value);
TENFOLD_BENCHMARK_LINEAR(attention_output);
TENFOLD_BENCHMARK_LINEAR(up);
TENFOLD_BENCHMARK_LINEAR(down);

}  // namespace
}  // namespace tenfold::benchmarks

#include "base/random.hpp"
#include "kernels/cross_entropy.hpp"
#include "kernels/elementwise.hpp"
#include "kernels/embedding.hpp"
#include "kernels/gather_rows.hpp"
#include "kernels/gelu.hpp"
#include "kernels/layer_norm.hpp"
#include "kernels/optimizer.hpp"
#include "op_benchmark.hpp"

namespace tenfold::benchmarks {
namespace {

/// Time an element of one iteration.
void count_elements(benchmark::State& state, std::int64_t elements) {
  state.counters["s/element"] = benchmark::Counter(
      static_cast<double>(elements), benchmark::Counter::kIsIterationInvariantRate | benchmark::Counter::kInvert);
}

/// A dropout site of rate 0.1 over the micro-batch.
kernels::Dropout dropout_site(OpBenchmark& op) {
  return {op.full_rows(), 0.1F, stream_key(1, "benchmark"), op.values<std::int64_t>({1}, {3})};
}

void gelu_forward(benchmark::State& state) {
  OpBenchmark op(state);
  const Tensor x = op.random({op.tokens(), feed_forward}), y = op.zeros(x.shape()), slope = op.zeros(x.shape());
  for (auto _ : state) kernels::gelu_forward(op.queue(), x, y, slope);
  count_elements(state, x.elements());
}
BENCHMARK(gelu_forward)->Apply(micro_batches);

void gelu_backward(benchmark::State& state) {
  OpBenchmark op(state);
  const Tensor slope = op.random({op.tokens(), feed_forward}), dy = op.random(slope.shape()),
               dx = op.zeros(slope.shape());
  for (auto _ : state) kernels::gelu_backward(op.queue(), dy, slope, dx);
  count_elements(state, dx.elements());
}
BENCHMARK(gelu_backward)->Apply(micro_batches);

void dropout_forward(benchmark::State& state) {
  OpBenchmark op(state);
  const Tensor x = op.random({op.tokens(), width}), y = op.zeros(x.shape());
  const kernels::Dropout site = dropout_site(op);
  for (auto _ : state) kernels::dropout_forward(op.queue(), x, site, y);
  count_elements(state, x.elements());
}
BENCHMARK(dropout_forward)->Apply(micro_batches);

void dropout_backward(benchmark::State& state) {
  OpBenchmark op(state);
  const Tensor dy = op.random({op.tokens(), width}), dx = op.zeros(dy.shape());
  const kernels::Dropout site = dropout_site(op);
  for (auto _ : state) kernels::dropout_backward(op.queue(), dy, site, dx);
  count_elements(state, dy.elements());
}
BENCHMARK(dropout_backward)->Apply(micro_batches);

constexpr float epsilon = 1e-5F;

/// Operands of layer normalisation, alone and with residual and dropout.
struct Normalisation {
  explicit Normalisation(OpBenchmark& op)
      : x(op.random({op.tokens(), width})),
        residual(op.random(x.shape())),
        sum(op.random(x.shape())),
        y(op.zeros(x.shape())),
        gain(op.random(DType::f32, {width})),
        bias(op.random(DType::f32, {width})),
        mean(op.zeros(DType::f32, {op.tokens()})),
        rstd(op.random(DType::f32, {op.tokens()})),
        dgain(op.zeros(DType::f32, {width})),
        dbias(op.zeros(DType::f32, {width})),
        site(dropout_site(op)) {}
  Tensor x, residual, sum, y, gain, bias, mean, rstd, dgain, dbias;
  kernels::Dropout site;
};

void layer_norm_forward(benchmark::State& state) {
  OpBenchmark op(state);
  const Normalisation n(op);
  for (auto _ : state) kernels::layer_norm_forward(op.queue(), n.x, n.gain, n.bias, epsilon, n.y, n.mean, n.rstd);
  count_elements(state, n.x.elements());
}
BENCHMARK(layer_norm_forward)->Apply(micro_batches);

void layer_norm_backward(benchmark::State& state) {
  OpBenchmark op(state);
  const Normalisation n(op);
  for (auto _ : state)
    kernels::layer_norm_backward(op.queue(), n.residual, n.x, n.gain, n.mean, n.rstd, n.y, n.dgain, n.dbias);
  count_elements(state, n.x.elements());
}
BENCHMARK(layer_norm_backward)->Apply(micro_batches);

void residual_layer_norm_forward(benchmark::State& state) {
  OpBenchmark op(state);
  const Normalisation n(op);
  for (auto _ : state)
    kernels::residual_layer_norm_forward(op.queue(), n.x, n.residual, n.site, n.gain, n.bias, epsilon, n.sum, n.y,
                                         n.mean, n.rstd);
  count_elements(state, n.x.elements());
}
BENCHMARK(residual_layer_norm_forward)->Apply(micro_batches);

void residual_layer_norm_backward(benchmark::State& state) {
  OpBenchmark op(state);
  const Normalisation n(op);
  for (auto _ : state)
    kernels::residual_layer_norm_backward(op.queue(), n.residual, n.sum, n.site, n.gain, n.mean, n.rstd, n.y, n.x,
                                          n.dgain, n.dbias);
  count_elements(state, n.x.elements());
}
BENCHMARK(residual_layer_norm_backward)->Apply(micro_batches);

/// Token ids spread over the vocabulary as words are: 1 / rank.
std::vector<std::int32_t> zipf_tokens(std::int64_t count) {
  std::vector<double> weights(vocabulary);
  for (std::size_t v = 0; v < weights.size(); ++v) weights[v] = 1 / static_cast<double>(v + 1);
  std::discrete_distribution<std::int32_t> distribution(weights.begin(), weights.end());
  std::mt19937_64 generator(3);
  std::vector<std::int32_t> tokens(static_cast<std::size_t>(count));
  for (std::int32_t& token : tokens) token = distribution(generator);
  return tokens;
}

void embedding_forward(benchmark::State& state) {
  OpBenchmark op(state);
  const Tensor tokens = op.values<std::int32_t>({op.tokens()}, zipf_tokens(op.tokens()));
  const Tensor table = op.random({vocabulary, width}), positions = op.random({length, width});
  const Tensor out = op.zeros({op.tokens(), width});
  const kernels::PackedRows rows = op.full_rows();
  for (auto _ : state) kernels::embedding_forward(op.queue(), tokens, rows, table, positions, out);
  count_elements(state, out.elements());
}
BENCHMARK(embedding_forward)->Apply(micro_batches);

void embedding_backward(benchmark::State& state) {
  OpBenchmark op(state);
  const Tensor tokens = op.values<std::int32_t>({op.tokens()}, zipf_tokens(op.tokens()));
  const Tensor dtable = op.zeros(DType::f32, {vocabulary, width}), dpositions = op.zeros(DType::f32, {length, width});
  const Tensor dout = op.random({op.tokens(), width});
  const kernels::PackedRows rows = op.full_rows();
  for (auto _ : state) kernels::embedding_backward(op.queue(), tokens, rows, dout, dtable, dpositions);
  count_elements(state, dout.elements());
}
BENCHMARK(embedding_backward)->Apply(micro_batches);

void positions_forward(benchmark::State& state) {
  OpBenchmark op(state);
  const Tensor positions = op.zeros({length, width}), x = op.random({op.tokens(), width});
  const kernels::PackedRows rows = op.full_rows();
  for (auto _ : state) kernels::positions_forward(op.queue(), rows, positions, x);
  count_elements(state, x.elements());
}
BENCHMARK(positions_forward)->Apply(micro_batches);

void positions_backward(benchmark::State& state) {
  OpBenchmark op(state);
  const Tensor dx = op.random({op.tokens(), width}), dpositions = op.zeros(DType::f32, {length, width});
  const kernels::PackedRows rows = op.full_rows();
  for (auto _ : state) kernels::positions_backward(op.queue(), rows, dx, dpositions);
  count_elements(state, dx.elements());
}
BENCHMARK(positions_backward)->Apply(micro_batches);

/// A seventh of the rows, as masked-LM training selects.
struct Selection {
  explicit Selection(OpBenchmark& op) : rows(op.tokens() / 7) {
    std::vector<std::int32_t> chosen(static_cast<std::size_t>(rows));
    for (std::size_t r = 0; r < chosen.size(); ++r) chosen[r] = static_cast<std::int32_t>(7 * r);
    index = op.values<std::int32_t>({rows}, chosen);
    count = op.values<std::int32_t>({1}, {static_cast<std::int32_t>(rows)});
  }
  std::int64_t rows;
  Tensor index, count;
};

void gather_rows(benchmark::State& state) {
  OpBenchmark op(state);
  const Selection selection(op);
  const Tensor x = op.random({op.tokens(), width}), out = op.zeros({selection.rows, width});
  for (auto _ : state) kernels::gather_rows(op.queue(), x, selection.index, selection.count, out);
  count_elements(state, out.elements());
}
BENCHMARK(gather_rows)->Apply(micro_batches);

void scatter_rows(benchmark::State& state) {
  OpBenchmark op(state);
  const Selection selection(op);
  const Tensor dx = op.zeros({op.tokens(), width}), dout = op.random({selection.rows, width});
  for (auto _ : state) kernels::scatter_rows(op.queue(), dout, selection.index, selection.count, dx);
  count_elements(state, dx.elements());
}
BENCHMARK(scatter_rows)->Apply(micro_batches);

/// Eight rows a sequence; bf16 is the type of dlogits.
void softmax_cross_entropy(benchmark::State& state) {
  OpBenchmark op(state);
  const std::int64_t rows = 8 * op.batch();
  const Tensor logits = op.random(DType::f32, {rows, vocabulary}), dlogits = op.zeros({rows, vocabulary});
  const Tensor labels = op.values<std::int32_t>({rows}, zipf_tokens(rows));
  const Tensor count = op.values<std::int32_t>({1}, {static_cast<std::int32_t>(rows)});
  const Tensor weight = op.values<float>({1}, {0.01F});
  const Tensor losses = op.zeros(DType::f32, {rows}), correct = op.zeros(DType::i32, {rows});
  for (auto _ : state)
    kernels::softmax_cross_entropy(op.queue(), logits, labels, 0, count, weight, losses, correct, dlogits);
  count_elements(state, logits.elements());
}
BENCHMARK(softmax_cross_entropy)->Apply(micro_batches);

/// Parameters of the flat buffers: those of a small model, 13.8 million, and a share that fits a cache.
void parameters(benchmark::internal::Benchmark* op) {
  op->ArgNames({"parameters", "bf16"})->ArgsProduct({{100'000, 13'800'000}, {0}})->Unit(benchmark::kMicrosecond);
}

void adamw(benchmark::State& state) {
  OpBenchmark op(state);
  const std::int64_t n = state.range(0);
  const Tensor gradient = op.random({n}), weight = op.random({n}), m = op.zeros({n}), v = op.zeros({n});
  const Tensor one = op.values<float>({1}, {1}), updates = op.values<std::int64_t>({1}, {1});
  const kernels::AdamWStep step{one, one, op.zeros(DType::i32, {1}), updates};
  const kernels::AdamW settings{0.9, 0.98, 1e-6, 0.01, 1};
  for (auto _ : state) kernels::adamw(op.queue(), settings, step, gradient, weight, m, v);
  count_elements(state, n);
}
BENCHMARK(adamw)->Apply(parameters);

void global_norm(benchmark::State& state) {
  OpBenchmark op(state);
  const Tensor gradient = op.random({state.range(0)}), norm = op.zeros({1});
  for (auto _ : state) kernels::global_norm(op.queue(), gradient, norm);
  count_elements(state, gradient.elements());
}
BENCHMARK(global_norm)->Apply(parameters);

void convert_to_bf16(benchmark::State& state) {
  OpBenchmark op(state);
  const Tensor source = op.random({state.range(0)}), destination = op.zeros(DType::bf16, {state.range(0)});
  for (auto _ : state) kernels::convert(op.queue(), source, destination);
  count_elements(state, source.elements());
}
BENCHMARK(convert_to_bf16)->Apply(parameters);

void add(benchmark::State& state) {
  OpBenchmark op(state);
  const Tensor values = op.random({state.range(0)}), sum = op.zeros(values.shape());
  for (auto _ : state) kernels::add(op.queue(), values, sum);
  count_elements(state, values.elements());
}
BENCHMARK(add)->Apply(parameters);

void add_sum(benchmark::State& state) {
  OpBenchmark op(state);
  const Tensor values = op.random({state.range(0)}), sum = op.zeros(DType::f64, {1});
  for (auto _ : state) kernels::add_sum(op.queue(), values, sum);
  count_elements(state, values.elements());
}
BENCHMARK(add_sum)->Apply(parameters);

void fill(benchmark::State& state) {
  OpBenchmark op(state);
  const Tensor values = op.zeros({state.range(0)});
  for (auto _ : state) kernels::fill(op.queue(), 1, values);
  count_elements(state, values.elements());
}
BENCHMARK(fill)->Apply(parameters);

void fill_normal(benchmark::State& state) {
  OpBenchmark op(state);
  const Tensor values = op.zeros({state.range(0)});
  for (auto _ : state) kernels::fill_normal(op.queue(), 1, 0, 0.02F, 0, values);
  count_elements(state, values.elements());
}
BENCHMARK(fill_normal)->Apply(parameters);

}  // namespace
}  // namespace tenfold::benchmarks

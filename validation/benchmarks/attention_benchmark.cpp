#include "kernels/attention.hpp"
#include "kernels/position_bias.hpp"
#include "op_benchmark.hpp"

namespace tenfold::benchmarks {
namespace {

/// Lengths as a corpus has them whose documents end anywhere: two of three are full, the mean is 0.89 of T. Nine
/// sequences fill the rows of eight full ones.
std::vector<std::int64_t> corpus_lengths(std::int64_t rows) {
  std::vector<std::int64_t> lengths;
  for (; rows > 0; rows -= 8 * length)
    for (const std::int64_t tokens : {128, 128, 121, 128, 38, 128, 128, 97, 128}) lengths.push_back(tokens);
  return lengths;
}

/// Operands of attention with position bias and dropout at the shape of a layer.
struct Layer {
  Layer(OpBenchmark& op, bool full)
      : lengths(full ? std::vector<std::int64_t>(static_cast<std::size_t>(op.batch()), length)
                     : corpus_lengths(op.tokens())),
        shape{op.tokens(), length, heads, width / heads},
        qkv(op.random({op.tokens(), 3 * width})),
        bias(op.random(DType::f32, {heads, length, length})),
        context(op.random({op.tokens(), width})),
        saved(op.zeros(DType::u8, {kernels::attention_saved_bytes(op.device(), shape, op.type())})),
        workspace(op.zeros(DType::u8, {kernels::attention_workspace_bytes(op.device(), shape, op.type())})),
        dropout{op.rows(lengths), 0.1F, 1, op.values<std::int64_t>({1}, {3})} {}

  void forward(OpBenchmark& op) const {
    kernels::attention_forward(op.queue(), shape, qkv, bias, scale, dropout, context, saved, workspace);
  }
  /// Of the two products of the forward pass.
  double operations() const {
    double pairs = 0;
    for (const std::int64_t tokens : lengths) pairs += static_cast<double>(tokens * tokens);
    return 4.0 * pairs * static_cast<double>(width);
  }
  std::int64_t tokens() const { return std::accumulate(lengths.begin(), lengths.end(), std::int64_t{0}); }

  static constexpr float scale = 0.125F;
  std::vector<std::int64_t> lengths;
  kernels::AttentionShape shape;
  Tensor qkv, bias, context, saved, workspace;
  kernels::Dropout dropout;
};

void attention_forward(benchmark::State& state, bool full) {
  OpBenchmark op(state);
  const Layer layer(op, full);
  for (auto _ : state) layer.forward(op);
  op.count_operations(layer.operations());
  op.count_tokens(layer.tokens());
}

void attention_backward(benchmark::State& state, bool full) {
  OpBenchmark op(state);
  const Layer layer(op, full);
  const Tensor dqkv = op.zeros(layer.qkv.shape()), dbias = op.zeros(DType::f32, layer.bias.shape());
  layer.forward(op);
  for (auto _ : state)
    kernels::attention_backward(op.queue(), layer.shape, layer.context, layer.qkv, layer.saved, Layer::scale,
                                layer.dropout, dqkv, dbias, layer.workspace);
  op.count_operations(2 * layer.operations());
  op.count_tokens(layer.tokens());
}

BENCHMARK_CAPTURE(attention_forward, full_length, true)->Apply(micro_batches);
BENCHMARK_CAPTURE(attention_forward, corpus_lengths, false)->Apply(micro_batches);
BENCHMARK_CAPTURE(attention_backward, full_length, true)->Apply(micro_batches);
BENCHMARK_CAPTURE(attention_backward, corpus_lengths, false)->Apply(micro_batches);

/// TUPE-R with untied [CLS], forward and backward: once a step, whatever the number of layers.
void position_bias(benchmark::State& state) {
  OpBenchmark op(state);
  const auto like = [&](const Shape& shape) { return op.random(DType::f32, shape); };
  const kernels::PositionBias input{
      like({length, width}), like({length, width}),
      like({32, heads}),     op.values<std::int32_t>({2 * length - 1}, kernels::relative_buckets(length, 32, 128)),
      like({heads}),         true};
  kernels::PositionBias gradient = input;
  gradient.query = like({length, width});
  gradient.key = like({length, width});
  const Tensor bias = like({heads, length, length}), dbias = like({heads, length, length});
  for (auto _ : state) {
    kernels::position_bias_forward(op.queue(), input, bias);
    kernels::position_bias_backward(op.queue(), dbias, input, gradient);
  }
  op.count_tokens();
}
BENCHMARK(position_bias)->ArgNames({"batch", "bf16"})->Args({8, 0})->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace tenfold::benchmarks

#include "kernels/attention.hpp"
#include "kernels/position_bias.hpp"
#include "op_benchmark.hpp"

namespace tenfold::benchmarks {
namespace {

/// Operands of attention with position bias and dropout at the shape of a layer.
struct Layer {
  explicit Layer(OpBenchmark& op)
      : shape{op.batch(), heads, length, width / heads},
        qkv(op.random({op.tokens(), 3 * width})),
        bias(op.random(DType::f32, {heads, length, length})),
        lengths(op.full_lengths()),
        context(op.random({op.tokens(), width})),
        probabilities(op.zeros({op.batch(), heads, length, length})),
        workspace(op.zeros(DType::u8, {kernels::attention_workspace_bytes(shape, op.type())})),
        dropout{
            0.1F, 1, op.values<std::int64_t>({1}, {3}),
            op.values<std::int64_t>({op.batch()}, std::vector<std::int64_t>(static_cast<std::size_t>(op.batch()), 5))} {
  }

  void forward(OpBenchmark& op) const {
    kernels::attention_forward(op.queue(), qkv, bias, lengths, scale, dropout, context, probabilities, workspace);
  }
  /// Of the two products of the forward pass.
  double operations() const {
    return 4.0 * static_cast<double>(shape.batch * shape.heads * shape.length * shape.length * shape.head_width);
  }

  static constexpr float scale = 0.125F;
  kernels::AttentionShape shape;
  Tensor qkv, bias, lengths, context, probabilities, workspace;
  kernels::Dropout dropout;
};

void attention_forward(benchmark::State& state) {
  OpBenchmark op(state);
  const Layer layer(op);
  for (auto _ : state) layer.forward(op);
  op.count_operations(layer.operations());
  op.count_tokens();
}
BENCHMARK(attention_forward)->Apply(micro_batches);

void attention_backward(benchmark::State& state) {
  OpBenchmark op(state);
  const Layer layer(op);
  const Tensor dqkv = op.zeros(layer.qkv.shape()), dbias = op.zeros(DType::f32, layer.bias.shape());
  layer.forward(op);
  for (auto _ : state)
    kernels::attention_backward(op.queue(), layer.context, layer.qkv, layer.probabilities, layer.lengths, Layer::scale,
                                layer.dropout, dqkv, dbias, layer.workspace);
  op.count_operations(2 * layer.operations());
  op.count_tokens();
}
BENCHMARK(attention_backward)->Apply(micro_batches);

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

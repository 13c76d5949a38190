#pragma once
// What the benchmark of an op needs: tensors of random values, and rates as counters. Sizes are those of the small
// model: width 256, 4 heads, feed-forward 1024, length 128. The micro-batch (sequences) is the first argument, the
// storage type (0: f32, 1: bf16) the second.

#include <benchmark/benchmark.h>

#include <random>
#include <vector>

#include "base/arena.hpp"
#include "base/queue.hpp"

namespace tenfold::benchmarks {

inline constexpr std::int64_t width = 256, heads = 4, feed_forward = 1024, length = 128, vocabulary = 16384;

class OpBenchmark {
 public:
  explicit OpBenchmark(benchmark::State& state)
      : state_(state), type_(state.range(1) == 0 ? DType::f32 : DType::bf16) {}

  DType type() const { return type_; }
  std::int64_t batch() const { return state_.range(0); }
  std::int64_t tokens() const { return batch() * length; }
  Queue& queue() { return queue_; }

  Tensor random(DType type, const Shape& shape) {
    const Tensor tensor = arena_.allocate(type, shape);
    std::vector<std::uint32_t> words(tensor.bytes() / 4);
    std::normal_distribution<float> distribution;
    for (std::uint32_t& word : words) {
      const auto bits = std::bit_cast<std::uint32_t>(distribution(generator_));
      const auto other = std::bit_cast<std::uint32_t>(distribution(generator_));
      word = type == DType::f32 ? bits : (bits >> 16U) | (other & 0xFFFF0000U);
    }
    queue_.copy_in(words.data(), tensor);
    return tensor;
  }
  Tensor random(const Shape& shape) { return random(type_, shape); }
  Tensor zeros(DType type, const Shape& shape) { return arena_.allocate(type, shape); }
  Tensor zeros(const Shape& shape) { return zeros(type_, shape); }
  template <class T>
  Tensor values(const Shape& shape, const std::vector<T>& values) {
    const Tensor tensor = arena_.allocate(dtype_of<T>(), shape);
    queue_.copy_in(values.data(), tensor);
    return tensor;
  }
  /// i32 [B]: full sequences.
  Tensor full_lengths() {
    return values<std::int32_t>({batch()}, std::vector<std::int32_t>(static_cast<std::size_t>(batch()), length));
  }

  /// Floating-point operations of one iteration, shown a second.
  void count_operations(double operations) {
    state_.counters["FLOP/s"] = benchmark::Counter(operations, benchmark::Counter::kIsIterationInvariantRate);
  }
  /// Seconds a token of one iteration.
  void count_tokens() {
    state_.counters["s/token"] = benchmark::Counter(
        static_cast<double>(tokens()), benchmark::Counter::kIsIterationInvariantRate | benchmark::Counter::kInvert);
  }

 private:
  benchmark::State& state_;
  DType type_;
  Queue queue_;
  Arena arena_{DeviceKind::host};
  std::mt19937_64 generator_{1};
};

/// Micro-batches of 8 and 32 sequences in f32 and bf16.
inline void micro_batches(benchmark::internal::Benchmark* op) {
  op->ArgNames({"batch", "bf16"})->ArgsProduct({{8, 32}, {0, 1}})->Unit(benchmark::kMicrosecond);
}

}  // namespace tenfold::benchmarks

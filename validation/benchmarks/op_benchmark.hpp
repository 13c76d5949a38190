#pragma once
// What the benchmark of an op needs: tensors of random values, and rates as counters. Sizes are those of the small
// model: width 256, 4 heads, feed-forward 1024, length 128. The micro-batch (sequences) is the first argument, the
// storage type (0: f32, 1: bf16) the second.

#include <benchmark/benchmark.h>

#include <memory>
#include <numeric>
#include <random>
#include <vector>

#include "base/arena.hpp"
#include "kernels/device.hpp"
#include "kernels/packed_rows.hpp"

namespace tenfold::benchmarks {

inline constexpr std::int64_t width = 256, heads = 4, feed_forward = 1024, length = 128, vocabulary = 16384;

class OpBenchmark {
 public:
  explicit OpBenchmark(benchmark::State& state)
      : state_(state), type_(state.range(1) == 0 ? DType::f32 : DType::bf16) {}

  DType type() const { return type_; }
  std::int64_t batch() const { return state_.range(0); }
  std::int64_t tokens() const { return batch() * length; }
  Queue& queue() { return *queue_; }

  Tensor random(DType type, const Shape& shape) {
    const Tensor tensor = arena_.allocate(type, shape);
    std::vector<std::uint32_t> words(tensor.bytes() / 4);
    std::normal_distribution<float> distribution;
    for (std::uint32_t& word : words) {
      const auto bits = std::bit_cast<std::uint32_t>(distribution(generator_));
      const auto other = std::bit_cast<std::uint32_t>(distribution(generator_));
      word = type == DType::f32 ? bits : (bits >> 16U) | (other & 0xFFFF0000U);
    }
    queue_->copy_in(words.data(), tensor);
    return tensor;
  }
  Tensor random(const Shape& shape) { return random(type_, shape); }
  Tensor zeros(DType type, const Shape& shape) { return arena_.allocate(type, shape); }
  Tensor zeros(const Shape& shape) { return zeros(type_, shape); }
  template <class T>
  Tensor values(const Shape& shape, const std::vector<T>& values) {
    const Tensor tensor = arena_.allocate(dtype_of<T>(), shape);
    queue_->copy_in(values.data(), tensor);
    return tensor;
  }
  DeviceKind device() const { return device_->kind(); }

  /// Sequences of these lengths from row 0 on, in a budget of tokens() rows.
  kernels::PackedRows rows(const std::vector<std::int64_t>& lengths) {
    std::vector<std::int32_t> offsets{0}, sequence;
    for (const std::int64_t tokens : lengths) {
      sequence.insert(sequence.end(), static_cast<std::size_t>(tokens), static_cast<std::int32_t>(offsets.size() - 1));
      offsets.push_back(offsets.back() + static_cast<std::int32_t>(tokens));
    }
    sequence.resize(static_cast<std::size_t>(tokens()), -1);
    const auto count = static_cast<std::int64_t>(lengths.size());
    std::vector<std::int64_t> samples(lengths.size());
    std::iota(samples.begin(), samples.end(), 0);
    return {values({count + 1}, offsets), values({tokens()}, sequence), values({count}, samples)};
  }
  /// Full sequences: they fill all rows.
  kernels::PackedRows full_rows() { return rows(std::vector<std::int64_t>(static_cast<std::size_t>(batch()), length)); }

  /// Floating-point operations of one iteration, shown a second.
  void count_operations(double operations) {
    state_.counters["FLOP/s"] = benchmark::Counter(operations, benchmark::Counter::kIsIterationInvariantRate);
  }
  /// Seconds a token of one iteration over `count` tokens, or over all rows.
  void count_tokens() { count_tokens(tokens()); }
  void count_tokens(std::int64_t count) {
    state_.counters["s/token"] = benchmark::Counter(
        static_cast<double>(count), benchmark::Counter::kIsIterationInvariantRate | benchmark::Counter::kInvert);
  }

 private:
  benchmark::State& state_;
  DType type_;
  std::unique_ptr<Device> device_ = kernels::make_device(DeviceKind::host, 0);
  std::unique_ptr<Queue> queue_ = device_->make_queue();
  Arena arena_{*device_};
  std::mt19937_64 generator_{1};
};

/// Micro-batches of 8 and 32 sequences in f32 and bf16.
inline void micro_batches(benchmark::internal::Benchmark* op) {
  op->ArgNames({"batch", "bf16"})->ArgsProduct({{8, 32}, {0, 1}})->Unit(benchmark::kMicrosecond);
}

}  // namespace tenfold::benchmarks

#pragma once
// One description of an op serves agreement with a plain double-precision reference, gradients by finite differences
// and odd shapes, in f32 and bf16. Data goes to and from the device under test as doubles; references know no tensors.

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <random>
#include <vector>

#include "base/arena.hpp"
#include "base/queue.hpp"
#include "base/random.hpp"
#include "kernels/dropout.hpp"
#include "kernels/runtime.hpp"

namespace tenfold::test {

using Values = std::vector<double>;

/// Owns the kernel libraries for all tests of the executable, with TENFOLD_TEST_THREADS threads, or one.
class KernelEnvironment : public ::testing::Environment {
 public:
  void SetUp() override {
    const char* threads = std::getenv("TENFOLD_TEST_THREADS");
    runtime_ = std::make_unique<kernels::Runtime>(threads == nullptr ? 1 : std::atoi(threads));
  }
  void TearDown() override { runtime_.reset(); }

 private:
  std::unique_ptr<kernels::Runtime> runtime_;
};
inline ::testing::Environment* const kernel_environment = ::testing::AddGlobalTestEnvironment(new KernelEnvironment);

/// Keep or drop as kernels/dropout.hpp states it, straight from base/random.hpp: the factor of one element.
inline double dropout_factor(double rate, std::uint64_t key, std::int64_t step, std::int64_t sample,
                             std::int64_t element) {
  const auto block = philox(key, static_cast<std::uint32_t>(element / 8), static_cast<std::uint32_t>(step),
                            static_cast<std::uint64_t>(sample));
  const std::uint32_t word = block[static_cast<std::size_t>(element % 8 / 2)];
  const std::uint32_t half = element % 2 == 0 ? word & 0xffffU : word >> 16U;
  return half >= std::round(rate * 65536) ? 1 / (1 - rate) : 0;
}

/// A fixture whose parameter is the storage type. Tensors live as long as the test.
class OpTest : public ::testing::TestWithParam<DType> {
 protected:
  /// A tensor with these values; bf16 ones are cut to what the type can hold (read them back for a reference).
  Tensor make(DType type, const Shape& shape, const Values& values) {
    const Tensor tensor = arena_.allocate(type, shape);
    EXPECT_EQ(static_cast<std::size_t>(tensor.elements()), values.size());
    std::vector<std::byte> bytes(tensor.bytes());
    for (std::size_t i = 0; i < values.size(); ++i) encode(type, values[i], bytes.data() + i * size_of(type));
    if (!bytes.empty()) queue_.copy_in(bytes.data(), tensor);
    return tensor;
  }
  Tensor make(const Shape& shape, const Values& values) { return make(GetParam(), shape, values); }
  Tensor random(DType type, const Shape& shape, double deviation = 1) {
    return make(type, shape, normal(shape.elements(), deviation));
  }
  Tensor random(const Shape& shape, double deviation = 1) { return random(GetParam(), shape, deviation); }
  Tensor zeros(DType type, const Shape& shape) { return arena_.allocate(type, shape); }
  Tensor zeros(const Shape& shape) { return zeros(GetParam(), shape); }
  /// Filled with a value that no kernel should leave behind.
  Tensor poisoned(DType type, const Shape& shape) {
    return make(type, shape, Values(static_cast<std::size_t>(shape.elements()), 1e30));
  }
  Tensor poisoned(const Shape& shape) { return poisoned(GetParam(), shape); }

  Values read(const Tensor& tensor) {
    std::vector<std::byte> bytes(tensor.bytes());
    queue_.copy_out(tensor, bytes.data());
    for (const std::byte byte : bytes) bits_ = (bits_ ^ static_cast<std::uint64_t>(byte)) * 0x100000001b3ULL;  // FNV-1a
    Values values(static_cast<std::size_t>(tensor.elements()));
    for (std::size_t i = 0; i < values.size(); ++i)
      values[i] = decode(tensor.dtype(), bytes.data() + i * size_of(tensor.dtype()));
    return values;
  }

  Values normal(std::int64_t count, double deviation = 1) {
    std::normal_distribution<double> distribution(0, deviation);
    Values values(static_cast<std::size_t>(count));
    for (double& value : values) value = distribution(generator_);
    return values;
  }

  /// All that was read, for threads_test.py to compare.
  void TearDown() override { RecordProperty("bits", std::to_string(bits_)); }

  /// Relative error of one rounding to the storage type plus f32 arithmetic.
  double tolerance() const { return GetParam() == DType::bf16 ? 0x1p-8 : 2e-6; }

  kernels::Dropout dropout(double rate, const Values& samples, std::int64_t step = 7) {
    return {static_cast<float>(rate), stream_key(1, "test"), make(DType::i64, {1}, {static_cast<double>(step)}),
            make(DType::i64, {static_cast<std::int64_t>(samples.size())}, samples)};
  }

  Queue queue_;
  Arena arena_{DeviceKind::host};
  std::mt19937_64 generator_{42};

 private:
  std::uint64_t bits_ = 0xcbf29ce484222325ULL;

  template <class T>
  static void put(T value, std::byte* to) {
    std::memcpy(to, &value, sizeof value);
  }
  template <class T>
  static double get(const std::byte* from) {
    T value;
    std::memcpy(&value, from, sizeof value);
    return static_cast<double>(value);
  }
  static void encode(DType type, double value, std::byte* to) {
    switch (type) {
      case DType::f32:
        return put(static_cast<float>(value), to);
      case DType::f64:
        return put(value, to);
      case DType::i32:
        return put(static_cast<std::int32_t>(value), to);
      case DType::i64:
        return put(static_cast<std::int64_t>(value), to);
      case DType::u8:
        return put(static_cast<std::uint8_t>(value), to);
      case DType::bf16: {
        const auto bits = std::bit_cast<std::uint32_t>(static_cast<float>(value));
        return put(static_cast<std::uint16_t>(bits >> 16U), to);
      }
    }
  }
  static double decode(DType type, const std::byte* from) {
    switch (type) {
      case DType::f32:
        return get<float>(from);
      case DType::f64:
        return get<double>(from);
      case DType::i32:
        return get<std::int32_t>(from);
      case DType::i64:
        return get<std::int64_t>(from);
      case DType::u8:
        return get<std::uint8_t>(from);
      case DType::bf16: {
        std::uint16_t bits;
        std::memcpy(&bits, from, sizeof bits);
        return static_cast<double>(std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16U));
      }
    }
    return NAN;
  }
};

inline std::string storage_name(const ::testing::TestParamInfo<DType>& info) {
  return name_of(info.param);
}

/// Every element within tolerance * max(|expected|, root mean square of expected).
inline void expect_close(const Values& actual, const Values& expected, double tolerance, const std::string& what = "") {
  ASSERT_EQ(actual.size(), expected.size()) << what;
  double squares = 0;
  for (double value : expected) squares += value * value;
  const double scale = std::sqrt(squares / std::max<double>(1, static_cast<double>(expected.size())));
  for (std::size_t i = 0; i < actual.size(); ++i) {
    const double allowed = tolerance * std::max(std::abs(expected[i]), scale);
    ASSERT_LE(std::abs(actual[i] - expected[i]), allowed)
        << what << " element " << i << ": " << actual[i] << ", expected " << expected[i];
  }
}

/// Gradient of `function` at `point` by central differences.
inline Values finite_difference(const std::function<double(const Values&)>& function, Values point,
                                double width = 1e-5) {
  Values gradient(point.size());
  for (std::size_t i = 0; i < point.size(); ++i) {
    const double centre = point[i];
    point[i] = centre + width;
    const double above = function(point);
    point[i] = centre - width;
    const double below = function(point);
    point[i] = centre;
    gradient[i] = (above - below) / (2 * width);
  }
  return gradient;
}

inline double dot(const Values& a, const Values& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

inline Values sum(const Values& a, const Values& b) {
  Values c = a;
  for (std::size_t i = 0; i < c.size(); ++i) c[i] += b[i];
  return c;
}

}  // namespace tenfold::test

/// Runs the suite once with each storage type.
#define TENFOLD_F32_AND_BF16(suite) \
  INSTANTIATE_TEST_SUITE_P(Storage, suite, ::testing::Values(DType::f32, DType::bf16), ::tenfold::test::storage_name)

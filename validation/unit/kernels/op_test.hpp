#pragma once
// One description of an op serves agreement with a plain double-precision reference, gradients by finite differences
// and odd shapes, on every device in f32 and bf16. Data goes to and from the device as doubles, through its queue;
// references know no tensors.

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <functional>
#include <memory>
#include <numeric>
#include <random>
#include <vector>

#include "base/arena.hpp"
#include "base/random.hpp"
#include "kernel_environment.hpp"
#include "kernels/device.hpp"
#include "kernels/dropout.hpp"
#include "kernels/linear.hpp"

namespace tenfold::test {

using Values = std::vector<double>;

/// What a test runs on and stores its operands in.
struct Target {
  DeviceKind device;
  DType type;
};

/// On every device that this build has kernels for.
inline std::vector<Target> targets(std::initializer_list<DType> types) {
  std::vector<Target> all;
  for (const DeviceKind device : {DeviceKind::host, DeviceKind::cuda})
    for (const DType type : types)
      if (kernels::make_device.implemented(device)) all.push_back({device, type});
  return all;
}

inline std::string target_name(const ::testing::TestParamInfo<Target>& info) {
  return text(info.param.device == DeviceKind::host ? "host_" : "cuda_", name_of(info.param.type));
}

/// Where sequences lie among the rows of a micro-batch, as references see it: the counterpart of PackedRows. Rows from
/// filled() on belong to none.
struct Packing {
  std::vector<std::int64_t> lengths, samples;
  std::int64_t rows;

  /// Row `begin(b) + t` holds token t of sequence b.
  std::int64_t begin(std::size_t b) const {
    return std::accumulate(lengths.begin(), lengths.begin() + static_cast<std::ptrdiff_t>(b), std::int64_t{0});
  }
  std::int64_t filled() const { return begin(lengths.size()); }

  struct Place {
    std::size_t sequence;
    std::int64_t sample, position;
  };
  /// Of the rows that belong to a sequence, in order.
  std::vector<Place> places() const {
    std::vector<Place> all;
    for (std::size_t b = 0; b < lengths.size(); ++b)
      for (std::int64_t t = 0; t < lengths[b]; ++t) all.push_back({b, samples[b], t});
    return all;
  }
  /// Sequence b without the others.
  Packing alone(std::size_t b) const { return {{lengths[b]}, {samples[b]}, lengths[b] + 1}; }
};

/// Sequences of these lengths, of samples 100, 101 and so on. Without a number of rows, as many as fill whole blocks.
inline Packing packing(const std::vector<std::int64_t>& lengths, std::int64_t rows = 0) {
  Packing made{lengths, std::vector<std::int64_t>(lengths.size()), rows};
  std::iota(made.samples.begin(), made.samples.end(), 100);
  constexpr std::int64_t block = kernels::row_block;
  if (rows == 0) made.rows = std::max((made.filled() + block - 1) / block * block, block);
  return made;
}

/// The rows of sequence b among values a row of all rows.
inline Values rows_of(const Values& values, const Packing& packing, std::size_t b) {
  const auto width = static_cast<std::int64_t>(values.size()) / packing.rows;
  const auto first = values.begin() + packing.begin(b) * width;
  return {first, first + packing.lengths[b] * width};
}

/// The values of the rows that belong to a sequence, 0 in all others.
inline Values filled_rows(Values values, const Packing& packing) {
  const auto width = static_cast<std::int64_t>(values.size()) / packing.rows;
  std::fill(values.begin() + packing.filled() * width, values.end(), 0.0);
  return values;
}

/// Keep or drop as kernels/dropout.hpp states it, straight from base/random.hpp: the factor of one element.
inline double dropout_factor(double rate, std::uint64_t key, std::int64_t step, std::int64_t sample,
                             std::int64_t element) {
  const auto block = philox(key, static_cast<std::uint32_t>(element / 8), static_cast<std::uint32_t>(step),
                            static_cast<std::uint64_t>(sample));
  const std::uint32_t word = block[static_cast<std::size_t>(element % 8 / 2)];
  const std::uint32_t half = element % 2 == 0 ? word & 0xffffU : word >> 16U;
  return half >= std::round(rate * 65536) ? 1 / (1 - rate) : 0;
}

/// Those of a matrix [N, width]; 1 in rows that belong to no sequence.
inline Values dropout_factors(double rate, std::uint64_t key, std::int64_t step, const Packing& packing,
                              std::int64_t width) {
  Values factors;
  for (const Packing::Place& place : packing.places())
    for (std::int64_t c = 0; c < width; ++c)
      factors.push_back(rate == 0 ? 1 : dropout_factor(rate, key, step, place.sample, place.position * width + c));
  factors.resize(static_cast<std::size_t>(packing.rows * width), 1);
  return factors;
}

/// A fixture for one device and storage type. Tensors live as long as the test.
class OpTest : public ::testing::TestWithParam<Target> {
 protected:
  static DType storage() { return GetParam().type; }
  /// Whether ops look at what tensors hold and refuse what is wrong there. A queue on another device cannot.
  static bool refuses_contents() { return GetParam().device == DeviceKind::host; }

  /// A tensor with these values; bf16 ones are cut to what the type can hold (read them back for a reference).
  Tensor make(DType type, const Shape& shape, const Values& values) {
    const Tensor tensor = arena_.allocate(type, shape);
    EXPECT_EQ(static_cast<std::size_t>(tensor.elements()), values.size());
    std::vector<std::byte> bytes(tensor.bytes());
    for (std::size_t i = 0; i < values.size(); ++i) encode(type, values[i], bytes.data() + i * size_of(type));
    if (!bytes.empty()) queue_.copy_in(bytes.data(), tensor);
    return tensor;
  }
  Tensor make(const Shape& shape, const Values& values) { return make(storage(), shape, values); }
  Tensor random(DType type, const Shape& shape, double deviation = 1) {
    return make(type, shape, normal(shape.elements(), deviation));
  }
  Tensor random(const Shape& shape, double deviation = 1) { return random(storage(), shape, deviation); }
  Tensor zeros(DType type, const Shape& shape) { return arena_.allocate(type, shape); }
  Tensor zeros(const Shape& shape) { return zeros(storage(), shape); }
  /// Filled with a value that no kernel should leave behind.
  Tensor poisoned(DType type, const Shape& shape) {
    const bool whole_numbers = type == DType::i32 || type == DType::i64;
    const double poison = type == DType::u8 ? 255 : whole_numbers ? 1e9 : 1e30;
    return make(type, shape, Values(static_cast<std::size_t>(shape.elements()), poison));
  }
  Tensor poisoned(const Shape& shape) { return poisoned(storage(), shape); }

  /// [N, width], random in rows that belong to a sequence and NaN in all others, which shows where they are read.
  Tensor random_rows(const Packing& packing, std::int64_t width, double deviation = 1) {
    Values values = normal(packing.filled() * width, deviation);
    values.resize(static_cast<std::size_t>(packing.rows * width), NAN);
    return make({packing.rows, width}, values);
  }
  Tensor integers(const Values& values) { return make(DType::i32, {static_cast<std::int64_t>(values.size())}, values); }
  Tensor scalar(DType type, double value) { return make(type, {1}, {value}); }

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
    std::normal_distribution<double> distribution;
    Values values(static_cast<std::size_t>(count));
    for (double& value : values) value = deviation * distribution(generator_);
    return values;
  }

  void SetUp() override {
    if (!present_) GTEST_SKIP() << "there is no GPU";
  }
  /// All that was read, for threads_test.py to compare.
  void TearDown() override { RecordProperty("bits", std::to_string(bits_)); }

  /// Relative error of one rounding to the storage type plus f32 arithmetic.
  double tolerance() const { return storage() == DType::bf16 ? 0x1p-8 : 2e-6; }

  kernels::PackedRows pack(const Packing& packing) {
    Values offsets, sequence;
    for (std::size_t b = 0; b <= packing.lengths.size(); ++b) offsets.push_back(static_cast<double>(packing.begin(b)));
    for (const Packing::Place& place : packing.places()) sequence.push_back(static_cast<double>(place.sequence));
    sequence.resize(static_cast<std::size_t>(packing.rows), -1);
    return {integers(offsets), integers(sequence),
            make(DType::i64, {static_cast<std::int64_t>(packing.samples.size())},
                 Values(packing.samples.begin(), packing.samples.end()))};
  }
  static constexpr std::int64_t dropout_step = 7;
  kernels::Dropout dropout(double rate, const Packing& packing, std::int64_t step = dropout_step) {
    return {pack(packing), static_cast<float>(rate), stream_key(1, "test"),
            scalar(DType::i64, static_cast<double>(step))};
  }

  const bool present_ = kernels::count_devices(GetParam().device) > 0;
  std::unique_ptr<Device> device_ = kernels::make_device(present_ ? GetParam().device : DeviceKind::host, 0);
  std::unique_ptr<Queue> own_queue_ = device_->make_queue();
  Queue& queue_ = *own_queue_;
  Arena arena_{*device_};
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

/// Runs the suite on every device, with each storage type or with one.
#define TENFOLD_F32_AND_BF16(suite)                                                                                   \
  INSTANTIATE_TEST_SUITE_P(                                                                                           \
      Targets, suite, ::testing::ValuesIn(::tenfold::test::targets({::tenfold::DType::f32, ::tenfold::DType::bf16})), \
      ::tenfold::test::target_name)
#define TENFOLD_F32(suite)                                                                                         \
  INSTANTIATE_TEST_SUITE_P(Targets, suite, ::testing::ValuesIn(::tenfold::test::targets({::tenfold::DType::f32})), \
                           ::tenfold::test::target_name)

// Laws of the encoder as a whole (its numbers are compared with PyTorch in validation/parity) and the gradients of its
// position encoder.

#include "model/encoder.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>
#include <optional>

#include "kernels/elementwise.hpp"
#include "kernels/optimizer.hpp"
#include "kernels/runtime.hpp"

namespace tenfold {
namespace {

constexpr int width = 12;
constexpr int heads = 3;
constexpr int vocabulary = 40;
constexpr BatchShape shape{2, 9, 4};

PositionShape positions(bool untied, bool relative) {
  return {!untied, untied, relative, true, 32, 128, shape.length};
}

class KernelLibraries : public testing::Environment {
 public:
  void SetUp() override { runtime_.emplace(1); }
  void TearDown() override { runtime_.reset(); }

 private:
  std::optional<kernels::Runtime> runtime_;
};
[[maybe_unused]] const auto* const kernel_libraries = testing::AddGlobalTestEnvironment(new KernelLibraries);

std::vector<float> read(Queue& queue, const Tensor& tensor) {
  std::vector<float> values(static_cast<std::size_t>(tensor.elements()));
  queue.copy_out(tensor, values.data());
  return values;
}

/// An encoder of two layers with its memory and one batch.
struct Fixture {
  explicit Fixture(const PositionShape& position)
      : tokens(parameters.add("embeddings.token.weight", {vocabulary, width}, Initial::normal, Storage::compute)),
        encoder(parameters, "", {tokens}, {2, width, heads, 20, 0.1, 0.1}, position, 7) {
    parameters.allocate(arena, DType::f32);
    encoder.allocate(arena, shape, DType::f32);
    encoder.prepare(queue);
    parameters.initialise(queue, 3);
    // Larger weights than the initial ones, so that every part matters.
    for (const Parameter& parameter : parameters.all())
      if (parameter.initial == Initial::normal)
        kernels::fill_normal(queue, parameter.offset, 0, 0.5F, parameters.master(parameter));
    parameters.refresh(queue);
  }

  void zero(const std::string& name) {
    for (const Parameter& parameter : parameters.all())
      if (parameter.name.starts_with(name)) queue.clear(parameters.master(parameter));
    parameters.refresh(queue);
  }

  std::vector<float> run(const std::vector<std::int32_t>& ids, const std::vector<std::int32_t>& lengths) {
    ids_ = ids;
    lengths_ = lengths;
    batch.tokens = host_view(std::span(ids_), {shape.rows()});
    batch.lengths = host_view(std::span(lengths_), {shape.sequences});
    return read(queue, encoder.forward({queue, batch, false, nullptr}));
  }

  /// From a random gradient of what the last run gave.
  void run_backward() {
    kernels::fill_normal(queue, 1, 0, 1, encoder.gradient());
    encoder.backward({queue, batch, false, nullptr});
  }

  std::vector<float> gradient(const std::string& name) {
    for (const Parameter& parameter : parameters.all())
      if (parameter.name == name) return read(queue, parameters.gradient(parameter));
    throw Error(name);
  }

  Queue queue;
  Arena arena{DeviceKind::host};
  Parameters parameters;
  ParameterView tokens;
  Encoder encoder;
  Batch batch;

 private:
  std::vector<std::int32_t> ids_, lengths_;
};

std::vector<std::int32_t> some_tokens() {
  std::vector<std::int32_t> ids(static_cast<std::size_t>(shape.rows()));
  for (std::size_t i = 0; i < ids.size(); ++i) ids[i] = static_cast<std::int32_t>(6 + i * 5 % 31);
  return ids;
}

double distance(std::span<const float> a, std::span<const float> b) {
  double most = 0;
  for (std::size_t i = 0; i < a.size(); ++i) most = std::max(most, static_cast<double>(std::abs(a[i] - b[i])));
  return most;
}

double norm(std::span<const float> values) {
  return std::sqrt(std::inner_product(values.begin(), values.end(), values.begin(), 0.0));
}

std::span<const float> row(const std::vector<float>& hidden, std::int64_t n) {
  return std::span(hidden).subspan(static_cast<std::size_t>(n * width), width);
}

// Without its position projections and buckets TUPE is a bag of words behind [CLS].
TEST(Encoder, TupeWithoutPositionsPermutesWithItsTokens) {
  Fixture fixture(positions(true, true));
  fixture.zero("position.query");
  fixture.zero("position.key");
  fixture.zero("position.relative");
  const std::vector<std::int32_t> ids = some_tokens();
  std::vector<std::int32_t> swapped = ids;
  std::swap(swapped[2], swapped[7]);
  const std::vector<float> before = fixture.run(ids, {9, 9});
  const std::vector<float> after = fixture.run(swapped, {9, 9});
  EXPECT_LT(distance(row(before, 2), row(after, 7)), 1e-5);
  EXPECT_LT(distance(row(before, 7), row(after, 2)), 1e-5);
  EXPECT_LT(distance(row(before, 0), row(after, 0)), 1e-5);
  EXPECT_LT(distance(row(before, 4), row(after, 4)), 1e-5);
}

// What the others see of an untied [CLS] is learned: by row 0 of the position table and the scalars of its own.
TEST(Encoder, TheScoreOfTheOthersForClsIsAlive) {
  for (const bool relative : {false, true}) {
    Fixture fixture(positions(true, relative));
    fixture.run(some_tokens(), {9, 6});
    fixture.run_backward();
    const std::vector<float> table = fixture.gradient("position.table.weight");
    EXPECT_GT(norm(row(table, 0)), 0.01 * norm(table));
    if (!relative) continue;
    for (const float value : fixture.gradient("position.relative.cls")) EXPECT_GT(std::abs(value), 1e-3);
  }
}

// Central differences in f32 of <upstream, bias>, which is quadratic in all but the table; gradients are added to 2.
TEST(PositionEncoder, BackwardIsTheGradientOfEveryParameter) {
  struct Variant {
    bool untied, relative, untie_cls;
  };
  for (const auto& [untied, relative, untie_cls] : {Variant{false, true, false},
                                                    {true, false, false},
                                                    {true, true, false},
                                                    {true, false, true},
                                                    {true, true, true}}) {
    Queue queue;
    Arena arena(DeviceKind::host);
    Parameters parameters;
    PositionEncoder encoder(parameters, "", {!untied, untied, relative, untie_cls, 8, 20, shape.length}, width, heads);
    parameters.allocate(arena, DType::f32);
    encoder.allocate(arena);
    encoder.prepare(queue);
    for (const Parameter& parameter : parameters.all())
      kernels::fill_normal(queue, parameter.offset, parameter.initial == Initial::one ? 1 : 0, 0.5F,
                           parameters.master(parameter));
    kernels::fill(queue, 2, parameters.gradients());
    const Tensor upstream = arena.allocate(DType::f32, {heads, shape.length, shape.length});
    kernels::fill_normal(queue, 1, 0, 1, upstream);
    const std::vector<float> weights = read(queue, upstream);
    const auto loss = [&] {
      const std::vector<float> bias = read(queue, encoder.forward(queue).value);
      return std::inner_product(bias.begin(), bias.end(), weights.begin(), 0.0);
    };
    kernels::add(queue, upstream, encoder.forward(queue).gradient);
    encoder.backward(queue);

    for (const Parameter& parameter : parameters.all()) {
      const Tensor master = parameters.master(parameter);
      const std::vector<float> point = read(queue, master);
      std::vector<float> moved = point, expected, error = read(queue, parameters.gradient(parameter));
      for (std::size_t i = 0; i < point.size(); ++i) {
        const auto loss_at = [&](float value) {
          moved[i] = value;
          queue.copy_in(moved.data(), master);
          return loss();
        };
        const float step = 0x1p-6F;
        const double rise = loss_at(point[i] + step) - loss_at(point[i] - step);
        expected.push_back(static_cast<float>(rise / (2 * step)));
        error[i] -= 2 + expected[i];
        moved[i] = point[i];
      }
      queue.copy_in(point.data(), master);
      EXPECT_LT(norm(error), 2e-4 * norm(expected)) << parameter.name << ", untied [CLS]: " << untie_cls;
    }
  }
}

class EveryEncoding : public testing::TestWithParam<std::pair<bool, bool>> {};

TEST_P(EveryEncoding, KnowsTheOrderOfItsTokens) {
  Fixture fixture(positions(GetParam().first, GetParam().second));
  const std::vector<std::int32_t> ids = some_tokens();
  std::vector<std::int32_t> swapped = ids;
  std::swap(swapped[2], swapped[7]);
  EXPECT_GT(distance(row(fixture.run(ids, {9, 9}), 4), row(fixture.run(swapped, {9, 9}), 4)), 1e-3);
}

TEST_P(EveryEncoding, PaddingChangesNothing) {
  Fixture fixture(positions(GetParam().first, GetParam().second));
  std::vector<std::int32_t> ids = some_tokens();
  const std::vector<float> before = fixture.run(ids, {6, 9});
  for (std::size_t i = 6; i < 9; ++i) ids[i] = 0;
  const std::vector<float> after = fixture.run(ids, {6, 9});
  for (std::int64_t n = 0; n < 6; ++n) EXPECT_EQ(distance(row(before, n), row(after, n)), 0) << n;
}

TEST_P(EveryEncoding, SequencesOfABatchDoNotSeeEachOther) {
  Fixture fixture(positions(GetParam().first, GetParam().second));
  std::vector<std::int32_t> ids = some_tokens();
  const std::vector<float> before = fixture.run(ids, {9, 9});
  for (std::size_t i = 9; i < 18; ++i) ids[i] = 11;
  const std::vector<float> after = fixture.run(ids, {9, 9});
  for (std::int64_t n = 0; n < 9; ++n) EXPECT_EQ(distance(row(before, n), row(after, n)), 0) << n;
}

INSTANTIATE_TEST_SUITE_P(Encodings, EveryEncoding,
                         testing::Values(std::pair(false, false), std::pair(false, true), std::pair(true, false),
                                         std::pair(true, true)));

}  // namespace
}  // namespace tenfold

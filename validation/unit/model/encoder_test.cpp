// Laws of the encoder as a whole (its numbers are compared with PyTorch in validation/parity).

#include "model/encoder.hpp"

#include <gtest/gtest.h>

#include <cmath>
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
    Batch batch;
    std::vector<std::int32_t> copy = ids;
    std::vector<std::int32_t> real = lengths;
    batch.tokens = host_view(std::span(copy), {shape.rows()});
    batch.lengths = host_view(std::span(real), {shape.sequences});
    const Tensor& hidden = encoder.forward({queue, batch, false, nullptr});
    std::vector<float> out(static_cast<std::size_t>(hidden.elements()));
    queue.copy_out(hidden, out.data());
    return out;
  }

  Queue queue;
  Arena arena{DeviceKind::host};
  Parameters parameters;
  ParameterView tokens;
  Encoder encoder;
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

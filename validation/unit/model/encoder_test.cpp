// Laws of the encoder as a whole (its numbers are compared with PyTorch in validation/parity) and the gradients of its
// position encoder.

#include "model/encoder.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "kernel_environment.hpp"
#include "kernels/elementwise.hpp"

namespace tenfold {
namespace {

using testing::device;
using testing::read;

constexpr EncoderShape shape{.layers = 2,
                             .width = 12,
                             .heads = 3,
                             .feed_forward = 20,
                             .dropout = 0.1,
                             .attention_dropout = 0.1,
                             .layer_norm_epsilon = 1e-5F};
constexpr int width = shape.width, heads = shape.heads;
constexpr int vocabulary = 40;
constexpr RowBudget budget{.rows = 128, .sequences = 3, .length = 9};

using Tokens = std::vector<std::int32_t>;

PositionShape positions(bool untied, bool relative) {
  return {!untied, untied, relative, true, 32, 128, budget.length};
}

/// An encoder of two layers with its memory and one batch.
struct Fixture {
  explicit Fixture(const PositionShape& position)
      : tokens(parameters.add("embeddings.token.weight", {vocabulary, width}, Initial::normal, Storage::compute)),
        encoder(parameters, "", {tokens}, shape, position, 7) {
    parameters.allocate(arena, DType::f32);
    encoder.allocate(arena, budget, DType::f32);
    encoder.prepare(queue);
    parameters.initialise(queue, 3, 0);
    // Larger weights than the initial ones, so that every part matters.
    for (const Parameter& parameter : parameters.all())
      if (parameter.initial == Initial::normal)
        kernels::fill_normal(queue, static_cast<std::uint64_t>(parameter.offset), 0, 0.5F, 0,
                             parameters.master(parameter));
    parameters.refresh(queue);
    input.tokens = arena.allocate(DType::i32, {budget.rows});
    input.rows = {arena.allocate(DType::i32, {budget.sequences + 1}), arena.allocate(DType::i32, {budget.rows}),
                  arena.allocate(DType::i64, {budget.sequences})};
    input.step = arena.allocate(DType::i64, {1});
  }

  void zero(const std::string& name) {
    for (const Parameter& parameter : parameters.all())
      if (parameter.name.starts_with(name)) queue.clear(parameters.master(parameter));
    parameters.refresh(queue);
  }

  /// Hidden states of the rows that these sequences fill; `rest` stands in the other rows.
  std::vector<float> run(const std::vector<Tokens>& sequences, std::int32_t rest = 0) {
    std::vector<std::int32_t> ids, offsets{0}, of_row;
    for (std::size_t b = 0; b < sequences.size(); ++b) {
      ids.insert(ids.end(), sequences[b].begin(), sequences[b].end());
      of_row.resize(ids.size(), static_cast<std::int32_t>(b));
      offsets.push_back(static_cast<std::int32_t>(ids.size()));
    }
    const std::size_t filled = ids.size();
    ids.resize(static_cast<std::size_t>(budget.rows), rest);
    of_row.resize(static_cast<std::size_t>(budget.rows), -1);
    offsets.resize(static_cast<std::size_t>(budget.sequences) + 1, offsets.back());
    queue.copy_in(ids.data(), input.tokens);
    queue.copy_in(offsets.data(), input.rows.offsets);
    queue.copy_in(of_row.data(), input.rows.sequence);
    input.computed = device().computed_rows(static_cast<std::int64_t>(filled), budget.rows);
    std::vector<float> hidden = read(queue, encoder.forward({queue, input, false}));
    hidden.resize(filled * width);
    return hidden;
  }

  /// From a random gradient of what the last run gave.
  void run_backward() {
    const Pass pass{queue, input, false};
    kernels::fill_normal(queue, 1, 0, 1, 0, encoder.gradient(pass));
    encoder.backward(pass);
  }

  std::vector<float> gradient(const std::string& name) {
    for (const Parameter& parameter : parameters.all())
      if (parameter.name == name) return read(queue, parameters.gradient(parameter));
    throw Error(name);
  }

  std::unique_ptr<Queue> own_queue = device().make_queue();
  Queue& queue = *own_queue;
  Arena arena{device()};
  Parameters parameters;
  ParameterView tokens;
  Encoder encoder;
  EncoderInput input;
};

Tokens some_tokens(std::size_t count = 9, std::int32_t seed = 0) {
  Tokens ids(count);
  for (std::size_t i = 0; i < ids.size(); ++i)
    ids[i] = static_cast<std::int32_t>(6 + (i + static_cast<std::size_t>(seed)) * 5 % 31);
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
  const Tokens ids = some_tokens();
  Tokens swapped = ids;
  std::swap(swapped[2], swapped[7]);
  const std::vector<float> before = fixture.run({ids, some_tokens(5)});
  const std::vector<float> after = fixture.run({swapped, some_tokens(5)});
  EXPECT_LT(distance(row(before, 2), row(after, 7)), 1e-5);
  EXPECT_LT(distance(row(before, 7), row(after, 2)), 1e-5);
  EXPECT_LT(distance(row(before, 0), row(after, 0)), 1e-5);
  EXPECT_LT(distance(row(before, 4), row(after, 4)), 1e-5);
}

// What the others see of an untied [CLS] is learned: by row 0 of the position table and the scalars of its own.
TEST(Encoder, TheScoreOfTheOthersForClsIsAlive) {
  for (const bool relative : {false, true}) {
    Fixture fixture(positions(true, relative));
    fixture.run({some_tokens(), some_tokens(6)});
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
    const std::unique_ptr<Queue> own_queue = device().make_queue();
    Queue& queue = *own_queue;
    Arena arena(device());
    Parameters parameters;
    PositionEncoder encoder(parameters, "", {!untied, untied, relative, untie_cls, 8, 20, budget.length}, shape);
    parameters.allocate(arena, DType::f32);
    encoder.allocate(arena);
    encoder.prepare(queue);
    for (const Parameter& parameter : parameters.all())
      kernels::fill_normal(queue, static_cast<std::uint64_t>(parameter.offset),
                           parameter.initial == Initial::one ? 1 : 0, 0.5F, 0, parameters.master(parameter));
    kernels::fill(queue, 2, parameters.gradients());
    const Tensor upstream = arena.allocate(DType::f32, {heads, budget.length, budget.length});
    kernels::fill_normal(queue, 1, 0, 1, 0, upstream);
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

class EveryEncoding : public ::testing::TestWithParam<std::pair<bool, bool>> {};

TEST_P(EveryEncoding, KnowsTheOrderOfItsTokens) {
  Fixture fixture(positions(GetParam().first, GetParam().second));
  const Tokens ids = some_tokens();
  Tokens swapped = ids;
  std::swap(swapped[2], swapped[7]);
  EXPECT_GT(distance(row(fixture.run({ids}), 4), row(fixture.run({swapped}), 4)), 1e-3);
}

TEST_P(EveryEncoding, RowsOfNoSequenceChangeNothing) {
  Fixture fixture(positions(GetParam().first, GetParam().second));
  const std::vector<Tokens> sequences{some_tokens(6), some_tokens(9, 3)};
  EXPECT_EQ(fixture.run(sequences, 0), fixture.run(sequences, 17));
}

TEST_P(EveryEncoding, SequencesOfABatchDoNotSeeEachOther) {
  Fixture fixture(positions(GetParam().first, GetParam().second));
  const Tokens ids = some_tokens(7);
  const std::vector<float> before = fixture.run({ids, some_tokens(9, 2)});
  const std::vector<float> after = fixture.run({ids, Tokens(9, 11)});
  for (std::int64_t n = 0; n < 7; ++n) EXPECT_EQ(distance(row(before, n), row(after, n)), 0) << n;
}

// Positions count from the first row of a sequence, wherever that lies.
TEST_P(EveryEncoding, ASequenceIsTheSameInAnyRows) {
  Fixture fixture(positions(GetParam().first, GetParam().second));
  const Tokens ids = some_tokens(7);
  const std::vector<float> first = fixture.run({ids}), second = fixture.run({some_tokens(9, 2), {}, ids});
  for (std::int64_t n = 0; n < 7; ++n) EXPECT_LT(distance(row(first, n), row(second, 9 + n)), 2e-6) << n;
}

INSTANTIATE_TEST_SUITE_P(Encodings, EveryEncoding,
                         ::testing::Values(std::pair(false, false), std::pair(false, true), std::pair(true, false),
                                           std::pair(true, true)));

}  // namespace
}  // namespace tenfold

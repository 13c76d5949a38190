#include "parallel/gradient_reducer.hpp"

#include <gtest/gtest.h>

#include <random>

#include "allocations.hpp"
#include "kernel_environment.hpp"
#include "world.hpp"

namespace tenfold {
namespace {

using testing::world;

constexpr std::int64_t elements = 10'007;
constexpr Communicator::Buckets small_buckets{.bytes = 4096, .under_way = 3};

Queue& queue() {
  static const std::unique_ptr<Queue> queue = testing::device().make_queue();
  return *queue;
}

std::vector<float> gradients_of(int rank) {
  std::mt19937 generator(static_cast<unsigned>(rank));
  std::normal_distribution<float> normal;
  std::vector<float> values(elements);
  for (float& value : values) value = normal(generator);
  return values;
}

void reduce(GradientReducer& reducer, std::int64_t granularity) {
  reducer.begin_step();
  for (std::int64_t from = elements; from > 0; from -= granularity) {
    reducer.ready(from);
    reducer.poll();
  }
  reducer.finish();
}

std::vector<float> reduced(std::vector<float> values, std::int64_t granularity,
                           const Communicator::Buckets& buckets = small_buckets) {
  GradientReducer reducer(world(), queue(), host_view(std::span(values), {elements}), buckets);
  reduce(reducer, granularity);
  return values;
}

TEST(GradientReducer, SumsEveryElementOnce) {
  std::vector<double> expected(elements, 0.0);
  for (int rank = 0; rank < world().size(); ++rank) {
    const std::vector<float> theirs = gradients_of(rank);
    for (std::size_t i = 0; i < expected.size(); ++i) expected[i] += double{theirs[i]};
  }
  const std::vector<float> sums = reduced(gradients_of(world().rank()), 613);
  for (std::size_t i = 0; i < expected.size(); ++i) ASSERT_NEAR(double{sums[i]}, expected[i], 3e-6) << "element " << i;
}

TEST(GradientReducer, GivesTheSameBitsHoweverReadyIsCalled) {
  const std::vector<float> mine = gradients_of(world().rank());
  const std::vector<float> at_once = reduced(mine, elements);
  for (std::int64_t granularity : {1, 100, 1024, 5000}) EXPECT_EQ(reduced(mine, granularity), at_once) << granularity;
}

TEST(GradientReducer, EqualsThePlainSumWhereNoRoundingIsInvolved) {
  std::vector<float> whole(elements);
  for (std::size_t i = 0; i < whole.size(); ++i)
    whole[i] = static_cast<float>(static_cast<int>(i) * (world().rank() + 1) % 1000);
  std::vector<float> plain = whole;
  world().all_reduce_sum(std::span(plain));
  for (const std::int64_t bytes : {std::int64_t{4}, small_buckets.bytes, 4 * elements, 8 * elements})
    for (const int under_way : {1, 2, 100})
      EXPECT_EQ(reduced(whole, 1000, {bytes, under_way}), plain) << under_way << " buckets of " << bytes << " bytes";
}

TEST(GradientReducer, EqualsThePlainSumBitForBitOnTwoRanks) {
  if (world().size() > 2) GTEST_SKIP() << "the order of three summands is the library's";
  std::vector<float> plain = gradients_of(world().rank());
  world().all_reduce_sum(std::span(plain));
  EXPECT_EQ(reduced(gradients_of(world().rank()), 77), plain);
}

TEST(GradientReducer, LeavesUnfinishedElementsAlone) {
  std::vector<float> values(elements, 1.0F);
  GradientReducer reducer(world(), queue(), host_view(std::span(values), {elements}), small_buckets);
  reducer.begin_step();
  reducer.ready(elements / 2);
  for (std::size_t i = 0; i < elements / 2; ++i) values[i] = 2.0F;  // backward still writes there
  reducer.finish();
  const auto ranks = static_cast<float>(world().size());
  for (std::size_t i = 0; i < values.size(); ++i) ASSERT_EQ(values[i], (i < elements / 2 ? 2.0F : 1.0F) * ranks) << i;
}

TEST(GradientReducer, AllocatesNothingFromTheSecondStepOn) {
  std::vector<float> values(elements, 1.0F);
  GradientReducer reducer(world(), queue(), host_view(std::span(values), {elements}), small_buckets);
  reduce(reducer, 1000);
  const int before = testing::allocations();
  for (int step = 0; step < 3; ++step) reduce(reducer, 1000);
  EXPECT_EQ(testing::allocations() - before, 0);
}

TEST(GradientReducer, SaysWhatIsUnderWayAtMost) {
  std::vector<float> values(elements);
  const Tensor flat = host_view(std::span(values), {elements});
  const bool alone = world().size() == 1;
  const auto bytes = [&](const Communicator::Buckets& buckets) {
    return GradientReducer(world(), queue(), flat, buckets).bytes_under_way();
  };
  EXPECT_EQ(bytes({4096, 3}), alone ? 0 : 3 * 4096);
  EXPECT_EQ(bytes({4096, 1000}), alone ? 0 : 4 * elements);
}

TEST(GradientReducer, RefusesOtherThanAFlatF32BufferAndBucketsOfNothing) {
  const auto refused = [](const Tensor& gradients, const Communicator::Buckets& buckets) {
    EXPECT_THROW(GradientReducer(world(), queue(), gradients, buckets), Error);
  };
  std::vector<double> doubles(4);
  refused(host_view(std::span(doubles), {4}), small_buckets);
  std::vector<float> floats(4);
  refused(host_view(std::span(floats), {2, 2}), small_buckets);
  refused(host_view(std::span(floats), {4}), {.bytes = 3, .under_way = 1});
  refused(host_view(std::span(floats), {4}), {.bytes = 4096, .under_way = 0});
}

}  // namespace
}  // namespace tenfold

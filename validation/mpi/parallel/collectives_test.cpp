#include <gtest/gtest.h>

#include <memory>
#include <numeric>
#include <random>

#include "kernel_environment.hpp"
#include "parallel/mpi_check.hpp"
#include "world.hpp"

namespace tenfold {
namespace {

using testing::world;

/// 1 + 2 + ... + size: what the ranks' numbers, counted from one, sum to.
std::int64_t rank_sum() {
  return std::int64_t{world().size()} * (world().size() + 1) / 2;
}

template <class T>
class AllReduce : public ::testing::Test {};
using ReducedTypes = ::testing::Types<float, double, std::int64_t>;
TYPED_TEST_SUITE(AllReduce, ReducedTypes);

TYPED_TEST(AllReduce, SumsElementByElement) {
  const auto mine = static_cast<TypeParam>(world().rank() + 1);
  std::vector<TypeParam> sums{mine, -mine, 10 * mine};
  world().all_reduce_sum(std::span(sums));
  const auto sum = static_cast<TypeParam>(rank_sum());
  EXPECT_EQ(sums, (std::vector<TypeParam>{sum, -sum, 10 * sum}));
}

TYPED_TEST(AllReduce, OfOneValue) {
  const auto mine = static_cast<TypeParam>(world().rank() + 1);
  EXPECT_EQ(world().all_reduce_sum(mine), static_cast<TypeParam>(rank_sum()));
  EXPECT_EQ(world().all_reduce_max(mine), static_cast<TypeParam>(world().size()));
  EXPECT_EQ(world().all_reduce_min(mine), static_cast<TypeParam>(1));
}

TEST(AllReduceBits, AreTheSameOnEveryRankAndEveryTime) {
  std::mt19937 generator(static_cast<unsigned>(world().rank()));
  std::normal_distribution<float> normal;
  std::vector<float> values(100'003);
  for (float& value : values) value = normal(generator);
  std::vector<float> again = values;
  world().all_reduce_sum(std::span(values));
  world().all_reduce_sum(std::span(again));
  EXPECT_EQ(values, again);
  std::vector<float> of_root = values;
  world().broadcast(std::span(of_root));
  EXPECT_EQ(values, of_root);
}

TEST(Communicator, CutsLongCallsWithoutLosingElements) {
  MpiCommunicator cutting(world().native(), world().progress(), 3);
  for (std::size_t count : {1U, 3U, 4U, 10U}) {
    std::vector<std::int64_t> values(count);
    std::iota(values.begin(), values.end(), 100 * cutting.rank());
    cutting.all_reduce_sum(std::span(values));
    std::vector<std::int64_t> expected(count);
    for (std::int64_t i = 0; i < std::ssize(expected); ++i)
      expected[static_cast<std::size_t>(i)] = cutting.size() * (50 * (cutting.size() - 1) + i);
    EXPECT_EQ(values, expected);
    std::string name = cutting.rank() == 0 ? std::string("a string longer than three").substr(0, count) : "";
    cutting.broadcast(name);
    EXPECT_EQ(name, std::string("a string longer than three").substr(0, count));
  }
}

TEST(Communicator, BroadcastsFromAnyRoot) {
  for (int root = 0; root < world().size(); ++root) {
    std::vector<int> values(5, world().rank());
    world().broadcast(std::span(values), root);
    EXPECT_EQ(values, std::vector<int>(5, root));
    std::string name = "rank " + std::to_string(world().rank());
    world().broadcast(name, root);
    EXPECT_EQ(name, "rank " + std::to_string(root));
    std::string empty = world().rank() == root ? "" : "something";
    world().broadcast(empty, root);
    EXPECT_TRUE(empty.empty());
  }
}

TEST(Communicator, GathersValuesInRankOrder) {
  struct Pair {
    std::int32_t rank;
    double value;
  };
  const std::vector<Pair> pairs = world().all_gather(Pair{world().rank(), 0.5 * world().rank()});
  ASSERT_EQ(static_cast<int>(pairs.size()), world().size());
  for (int rank = 0; rank < world().size(); ++rank) {
    EXPECT_EQ(pairs[static_cast<std::size_t>(rank)].rank, rank);
    EXPECT_EQ(pairs[static_cast<std::size_t>(rank)].value, 0.5 * rank);
  }
  const std::vector<std::string> names = world().all_gather(std::string(static_cast<std::size_t>(world().rank()), 'x'));
  for (std::size_t rank = 0; rank < names.size(); ++rank) EXPECT_EQ(names[rank], std::string(rank, 'x'));
}

TEST(Communicator, GathersUnequalPartsInRankOrder) {
  // Rank r gives r elements, all r: [1, 2, 2, 3, 3, 3, ...]. Rank 0 gives none.
  const std::vector<std::int64_t> mine(static_cast<std::size_t>(world().rank()), world().rank());
  const Received<std::int64_t> all = world().all_gather_v(std::span<const std::int64_t>(mine));
  std::vector<std::int64_t> expected;
  for (int rank = 0; rank < world().size(); ++rank) {
    EXPECT_EQ(all.counts[static_cast<std::size_t>(rank)], rank);
    expected.insert(expected.end(), static_cast<std::size_t>(rank), rank);
  }
  EXPECT_EQ(all.values, expected);
}

TEST(Communicator, TransposesBlocks) {
  std::vector<int> send;
  for (int to = 0; to < world().size(); ++to) send.insert(send.end(), {10 * world().rank() + to, to});
  std::vector<int> receive(send.size());
  world().all_to_all(std::span<const int>(send), std::span(receive));
  std::vector<int> expected;
  for (int from = 0; from < world().size(); ++from) {
    expected.insert(expected.end(), {10 * from + world().rank(), world().rank()});
  }
  EXPECT_EQ(receive, expected);
}

TEST(Communicator, ExchangesUnequalBlocks) {
  // Rank r sends (r + q) mod 3 copies of 100 r + q to rank q.
  const auto copies = [](int from, int to) { return static_cast<std::size_t>((from + to) % 3); };
  std::vector<std::int32_t> send;
  std::vector<std::int64_t> counts;
  std::vector<std::int32_t> expected;
  for (int other = 0; other < world().size(); ++other) {
    const int me = world().rank();
    send.insert(send.end(), copies(me, other), 100 * me + other);
    counts.push_back(static_cast<std::int64_t>(copies(me, other)));
    expected.insert(expected.end(), copies(other, me), 100 * other + me);
  }
  const auto received =
      world().all_to_all_v(std::span<const std::int32_t>(send), std::span<const std::int64_t>(counts));
  EXPECT_EQ(received.values, expected);
  for (int other = 0; other < world().size(); ++other) {
    EXPECT_EQ(received.counts[static_cast<std::size_t>(other)],
              static_cast<std::int64_t>(copies(other, world().rank())));
  }
}

TEST(Communicator, RefusesExchangesThatMpiCannotCount) {
  const std::size_t bytes = std::size_t{1} << 31U;
  const std::unique_ptr<char[]> memory(new char[bytes]);  // never touched, so never there
  std::vector<std::int64_t> counts(static_cast<std::size_t>(world().size()), 0);
  counts[0] = static_cast<std::int64_t>(bytes);
  EXPECT_THROW(world().all_to_all_v(std::span<const char>(memory.get(), bytes), std::span<const std::int64_t>(counts),
                                    std::span<char>(memory.get(), bytes), std::span<const std::int64_t>(counts)),
               Error);
  counts[0] = 5;
  EXPECT_THROW(world().all_to_all_v(std::span<const char>(memory.get(), 4), std::span<const std::int64_t>(counts),
                                    std::span<char>(memory.get(), 4), std::span<const std::int64_t>(counts)),
               Error);
}

TEST(Communicator, ScansWhatLowerRanksHave) {
  std::int64_t below = 0;
  for (int rank = 0; rank < world().rank(); ++rank) below += rank + 1;
  EXPECT_EQ(world().exclusive_scan_sum(world().rank() + 1), below);
}

TEST(Communicator, CompletesRequestsInAnyOrder) {
  const std::unique_ptr<Queue> queue = testing::device().make_queue();
  std::vector<std::vector<float>> buffers;
  for (float scale : {1.0F, 2.0F, 4.0F}) buffers.emplace_back(50'000, scale * static_cast<float>(world().rank() + 1));
  for (int round = 0; round < 2; ++round) {
    std::vector<Request> requests;
    for (auto& buffer : buffers)
      requests.push_back(world().start_all_reduce_sum(*queue, host_view(std::span(buffer), {50'000})));
    world().poll();
    world().barrier();  // another collective may pass while they are outstanding
    for (std::size_t i : {2U, 0U, 1U}) world().wait(requests[i]);
  }
  // The second round summed `size` equal sums.
  const auto expected = static_cast<float>(rank_sum() * world().size());
  EXPECT_EQ(buffers[0], std::vector<float>(50'000, expected));
  EXPECT_EQ(buffers[1], std::vector<float>(50'000, 2 * expected));
  EXPECT_EQ(buffers[2], std::vector<float>(50'000, 4 * expected));
}

TEST(Communicator, StartsSumsOfF32AndF64AndOfNoOtherType) {
  const std::unique_ptr<Queue> queue = testing::device().make_queue();
  std::vector<double> sums(100, world().rank() + 1);
  world().wait(world().start_all_reduce_sum(*queue, host_view(std::span(sums), {10, 10})));
  EXPECT_EQ(sums, std::vector<double>(100, static_cast<double>(rank_sum())));
  if (world().size() == 1) return;  // nothing to sum
  std::vector<std::int32_t> integers(4);
  EXPECT_THROW(static_cast<void>(world().start_all_reduce_sum(*queue, host_view(std::span(integers), {4}))), Error);
}

TEST(Communicator, StartsExchangesThatEqualTheBlockingOnes) {
  const auto ranks = static_cast<std::size_t>(world().size());
  std::vector<std::int64_t> send_counts(ranks);
  for (std::size_t to = 0; to < ranks; ++to) {
    send_counts[to] = 1000 * ((static_cast<std::int64_t>(to) + world().rank()) % 3);
  }
  std::vector<std::int64_t> receive_counts(ranks, -1);
  world().wait(world().start_all_to_all(std::span<const std::int64_t>(send_counts), std::span(receive_counts)));
  std::vector<float> send(static_cast<std::size_t>(std::accumulate(send_counts.begin(), send_counts.end(), 0LL)));
  std::iota(send.begin(), send.end(), 1e4F * static_cast<float>(world().rank()));
  std::vector<float> receive(
      static_cast<std::size_t>(std::accumulate(receive_counts.begin(), receive_counts.end(), 0LL)));
  const Request request =
      world().start_all_to_all_v(std::span<const float>(send), std::span<const std::int64_t>(send_counts),
                                 std::span(receive), std::span<const std::int64_t>(receive_counts));
  std::vector<std::int64_t> elsewhere = send_counts;
  send_counts.assign(ranks, -7);  // the counts need not live on
  world().wait(request);
  const Received<float> expected =
      world().all_to_all_v(std::span<const float>(send), std::span<const std::int64_t>(elsewhere));
  EXPECT_EQ(receive_counts, expected.counts);
  EXPECT_EQ(receive, expected.values);
}

TEST(Communicator, ExchangesOfADuplicateGoTheirOwnWay) {
  const std::unique_ptr<Communicator> copy = world().duplicate();
  ASSERT_EQ(copy->size(), world().size());
  ASSERT_EQ(copy->rank(), world().rank());
  const auto ranks = static_cast<std::size_t>(world().size());
  const std::vector<std::int32_t> send(ranks, world().rank());
  std::vector<std::int32_t> receive(ranks);
  std::vector<float> sum(1000, 1.0F);
  const auto start_copy = [&] {
    return copy->start_all_to_all(std::span<const std::int32_t>(send), std::span(receive));
  };
  const std::unique_ptr<Queue> queue = testing::device().make_queue();
  const auto start_world = [&] { return world().start_all_reduce_sum(*queue, host_view(std::span(sum), {1000})); };
  Request exchange;
  Request reduction;
  if (world().rank() % 2 == 0) {  // another order on every other rank
    exchange = start_copy();
    reduction = start_world();
  } else {
    reduction = start_world();
    exchange = start_copy();
  }
  while (!copy->test(exchange)) world().poll();
  copy->wait(exchange);
  world().wait(reduction);
  for (std::size_t rank = 0; rank < ranks; ++rank) EXPECT_EQ(receive[rank], static_cast<std::int32_t>(rank));
  EXPECT_EQ(sum, std::vector<float>(1000, static_cast<float>(ranks)));
}

TEST(Communicator, SaysWhichCallFailed) {
  int value = 0;
  try {
    world().broadcast(std::span(&value, 1), world().size());
    FAIL() << "a root outside of the group was accepted";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("MPI_Bcast"), std::string::npos) << error.what();
    EXPECT_NE(std::string(error.what()).find("MPI_ERR_ROOT"), std::string::npos) << error.what();
  }
}

TEST(Communicator, SaysWhereARefusedReleaseHappened) {
  const auto refused = [] {
    MPI_Comm none = MPI_COMM_NULL;
    TENFOLD_MPI_RELEASE(MPI_Comm_free(&none));
  };
  EXPECT_EXIT(refused(), ::testing::ExitedWithCode(1),
              "error \\(host .*, pid .*MPI_Comm_free failed with .*collectives_test");
}

TEST(Communicator, MarksWaitingOnlyWhileItWaits) {
  EXPECT_EQ(world().progress().waiting_in(), nullptr);
  const std::int64_t before = world().progress().ticks();
  world().barrier();
  EXPECT_EQ(world().progress().waiting_in(), nullptr);
  EXPECT_GT(world().progress().ticks(), before);
}

}  // namespace
}  // namespace tenfold

#include "parallel/replica_check.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "parallel/agree.hpp"
#include "world.hpp"

namespace tenfold {
namespace {

using testing::world;

TEST(ReplicaCheck, AcceptsEqualBytes) {
  std::vector<float> weights(1001, 0.25F);
  weights[7] = std::nanf("");  // the same bits are no drift, whatever they mean
  EXPECT_NO_THROW(check_replicas(world(), hash_of(host_view(std::span(weights), {1001})), 5));
}

TEST(ReplicaCheck, NamesTheRankThatDrifted) {
  const int drifted = world().size() - 1;  // of two ranks, rank 0 counts as right
  std::vector<float> weights(1001, 0.0F);
  if (world().rank() == drifted) weights[1000] = -0.0F;  // equal to zero in value, one bit apart
  const Tensor tensor = host_view(std::span(weights), {1001});
  if (world().size() == 1) {
    EXPECT_NO_THROW(check_replicas(world(), hash_of(tensor), 300));
    return;
  }
  try {
    check_replicas(world(), hash_of(tensor), 300);
    FAIL() << "the drift was not seen";
  } catch (const AgreedError& error) {
    const std::string what = error.what();
    EXPECT_EQ(error.rank(), drifted);
    EXPECT_NE(what.find("step 300"), std::string::npos) << what;
    EXPECT_NE(what.find("rank " + std::to_string(drifted) + " (host"), std::string::npos) << what;
  }
}

TEST(ReplicaCheck, NamesAllRanksOfAMinority) {
  if (world().size() < 4) GTEST_SKIP() << "a majority of two needs four ranks";
  std::vector<float> weights(10, static_cast<float>(world().rank() / 2 * world().rank()));  // 0, 0, 2, 3
  try {
    check_replicas(world(), hash_of(host_view(std::span(weights), {10})), 1);
    FAIL() << "the drift was not seen";
  } catch (const AgreedError& error) {
    const std::string what = error.what();
    EXPECT_NE(what.find("ranks 2 (host"), std::string::npos) << what;
    EXPECT_NE(what.find(", 3 (host"), std::string::npos) << what;
  }
}

}  // namespace
}  // namespace tenfold

#include <gtest/gtest.h>

#include <set>

#include "parallel/replica_check.hpp"

namespace tenfold {
namespace {

std::uint64_t hash(std::vector<std::uint8_t> bytes) {
  return hash_of(host_view(std::span(bytes), {static_cast<std::int64_t>(bytes.size())}));
}

TEST(ReplicaHash, ChangesWithEveryBit) {
  const std::vector<std::uint8_t> bytes(19, 0x5a);  // not a whole number of words
  std::set<std::uint64_t> hashes{hash(bytes)};
  for (std::size_t bit = 0; bit < 8 * bytes.size(); ++bit) {
    std::vector<std::uint8_t> flipped = bytes;
    flipped[bit / 8] ^= static_cast<std::uint8_t>(1U << (bit % 8));
    hashes.insert(hash(flipped));
  }
  EXPECT_EQ(hashes.size(), 8 * bytes.size() + 1);
}

TEST(ReplicaHash, ChangesWithOrderAndLength) {
  std::vector<std::uint8_t> first(16, 0);
  first[0] = 1;
  std::vector<std::uint8_t> second(16, 0);
  second[8] = 1;
  EXPECT_NE(hash(first), hash(second));
  EXPECT_NE(hash({}), hash({0}));
  EXPECT_NE(hash(std::vector<std::uint8_t>(8, 0)), hash(std::vector<std::uint8_t>(16, 0)));
}

}  // namespace
}  // namespace tenfold

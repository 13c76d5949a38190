#include "base/random.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cstdint>

namespace tenfold {
namespace {

using Block = std::array<std::uint32_t, 4>;

/// Known answers of Philox 4x32-10 from the kat_vectors of Random123 (Salmon et al., SC'11), whose counter is
/// (position, step, low half of the sample, high half) and whose key is (low half, high half).
TEST(Philox, GivesThePublishedAnswers) {
  EXPECT_EQ(philox(0, 0, 0, 0), (Block{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  EXPECT_EQ(philox(0xffffffffffffffff, 0xffffffff, 0xffffffff, 0xffffffffffffffff),
            (Block{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(philox(0x299f31d0a4093822, 0x243f6a88, 0x85a308d3, 0x0370734413198a2e),
            (Block{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

// FNV-1a of "foobar" as its authors publish it; the mixing of splitmix64 was computed apart.
TEST(StreamKey, GivesKnownAnswers) {
  EXPECT_EQ(stream_key(0, "foobar"), 0xd866d430c33ab9a7U);
  EXPECT_EQ(stream_key(1, "foobar"), 0x7b3faac8b3e5742eU);
  EXPECT_NE(stream_key(1, "dropout"), stream_key(1, "masking"));
}

TEST(Uniform, CoversZeroToOneWithoutOne) {
  EXPECT_EQ(uniform(0), 0.0F);
  EXPECT_EQ(uniform(0x80000000), 0.5F);
  EXPECT_EQ(uniform(0xffffffff), 1.0F - 0x1p-24F);
  EXPECT_EQ(uniform(0xff), 0.0F) << "of 32 bits the highest 24 count";
}

TEST(RandomSequence, ReadsTheBlocksOfThePositionsInOrder) {
  RandomSequence sequence(7, 3, 5);
  for (std::uint32_t position = 0; position < 3; ++position) {
    for (std::uint32_t word : philox(7, position, 3, 5)) EXPECT_EQ(sequence.bits(), word);
  }
}

TEST(RandomSequence, DrawsBelowABoundEachAsOften) {
  RandomSequence sequence(7, 0, 0);
  const int draws = 60000;
  std::array<int, 6> counts{};
  for (int i = 0; i < draws; ++i) ++counts.at(sequence.below(6));
  for (int count : counts) EXPECT_NEAR(count, draws / 6, 500);  // five standard deviations of a fixed sequence
}

}  // namespace
}  // namespace tenfold

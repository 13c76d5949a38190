#include "data/packing.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace tenfold {
namespace {

std::vector<std::int64_t> packed(const std::vector<std::int64_t>& offsets, int length) {
  std::vector<std::int64_t> begins;
  pack_sentences(offsets, length, [&](std::int64_t begin) { begins.push_back(begin); });
  return begins;
}

using Begins = std::vector<std::int64_t>;

TEST(Packing, JoinsWholeSentencesUpToLengthLessOne) {
  // Sentences of 3, 4, 2 and 5 tokens; T = 8 leaves room for 7.
  EXPECT_EQ(packed({0, 3, 7, 9, 14}, 8), (Begins{0, 7}));
}

TEST(Packing, StartsANewSequenceWhenTheNextSentenceDoesNotFit) {
  EXPECT_EQ(packed({0, 5, 10, 15}, 8), (Begins{0, 5, 10}));
}

TEST(Packing, CutsALongSentenceAndLosesNoToken) {
  // 2 tokens, then 17 tokens cut into 7 + 7 + 3, to which the last 4 are joined.
  EXPECT_EQ(packed({0, 2, 19, 23}, 8), (Begins{0, 2, 9, 16}));
}

TEST(Packing, ASentenceThatFillsTheRoomExactlyIsNotCut) {
  EXPECT_EQ(packed({0, 7, 14}, 8), (Begins{0, 7}));
}

TEST(Packing, ContinuesFromOffsetsThatDoNotStartAtZero) {
  EXPECT_EQ(packed({100, 103, 107, 109, 114}, 8), (Begins{100, 107}));
}

}  // namespace
}  // namespace tenfold

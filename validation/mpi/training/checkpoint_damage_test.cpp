// Damage of any kind, anywhere in a checkpoint, is seen; the one before is used; nothing is started over silently.
#include <gtest/gtest.h>

#include "shared_folder.hpp"
#include "state.hpp"
#include "training/sealing.hpp"

namespace tenfold {
namespace {

using testing::code_of;
using testing::contents;
using testing::put;
using testing::SharedFolder;
using testing::State;
using testing::world;

/// Two good checkpoints, of which the newer is there to be damaged.
class CheckpointDamage : public ::testing::Test {
 protected:
  void SetUp() override {
    Checkpoints checkpoints(folder_.path(), 2, world());
    for (const std::int64_t step : {1, 2})
      (step == 1 ? older_ : newer_) = checkpoints.save(step, State(step).content(world().rank(), world().size())).path;
    good_ = contents(newer_);
  }

  /// As a job that starts finds it.
  FoundCheckpoint newest() const { return Checkpoints(folder_.path(), 2, world()).open_newest(); }

  void expect_older_is_used(const std::string& damaged, const std::string& what) {
    put(newer_, damaged);
    const FoundCheckpoint found = newest();
    ASSERT_TRUE(found.checkpoint) << what;
    ASSERT_EQ(found.checkpoint->path(), older_) << what;
    ASSERT_EQ(found.damaged.size(), 1U) << what;
    EXPECT_EQ(found.damaged[0].path, newer_);
    EXPECT_FALSE(found.damaged[0].reason.empty());
    EXPECT_TRUE(contents(newer_) == damaged) << "left as it was";
  }

  std::string flipped(std::size_t at, unsigned bit = 0) const {
    std::string bytes = good_;
    bytes[at] = static_cast<char>(static_cast<unsigned char>(bytes[at]) ^ (1U << bit));
    return bytes;
  }

  SharedFolder folder_;
  std::string older_;
  std::string newer_;
  std::string good_;
};

TEST_F(CheckpointDamage, UntouchedFileIsGood) {
  put(newer_, good_);
  const FoundCheckpoint found = newest();
  ASSERT_TRUE(found.checkpoint);
  EXPECT_EQ(found.checkpoint->path(), newer_);
  EXPECT_EQ(found.bytes_read, good_.size() - seal::seal_bytes) << "once, and nothing of the older one";
}

TEST_F(CheckpointDamage, FlippedBitInTheUserBlock) {
  for (std::size_t at = 0; at < 512; at = at < 48 ? at + 1 : at + 29) {
    expect_older_is_used(flipped(at, at % 8), "byte " + std::to_string(at));
  }
}

TEST_F(CheckpointDamage, FlippedBitInMetadata) {
  // Superblock, and around the names that stand in HDF5's heaps and headers.
  std::vector<std::size_t> places = {512, 520, 540, 600};
  for (const char* word : {"TREE", "HEAP", "SNOD", "weights", "encoder.layer.0.bias", "schema", "configuration"}) {
    const std::size_t at = good_.find(word);
    ASSERT_NE(at, std::string::npos) << word;
    for (const std::size_t offset : {0, 3, 17}) places.push_back(at + offset);
  }
  for (const std::size_t at : places) expect_older_is_used(flipped(at, 3), "byte " + std::to_string(at));
}

TEST_F(CheckpointDamage, FlippedBitInData) {
  for (std::size_t at = 600; at < good_.size(); at += good_.size() / 23) {
    expect_older_is_used(flipped(at, 7), "byte " + std::to_string(at));
  }
  expect_older_is_used(flipped(good_.size() - 1), "last byte");
}

TEST_F(CheckpointDamage, TruncatedAndExtended) {
  for (const std::size_t length : {std::size_t{0}, std::size_t{1}, std::size_t{511}, std::size_t{512}, std::size_t{513},
                                   good_.size() / 2, good_.size() - 1}) {
    expect_older_is_used(good_.substr(0, length), "length " + std::to_string(length));
  }
  expect_older_is_used(good_ + '\0', "one byte more");
  std::string hole = good_;
  std::fill_n(hole.begin() + static_cast<std::ptrdiff_t>(good_.size() / 2), 4096, '\0');
  expect_older_is_used(hole, "a page of zeros");
}

TEST_F(CheckpointDamage, SwappedPagesAreSeen) {
  std::string bytes = good_;
  const std::size_t leaf = 1 << 20;
  ASSERT_GT(bytes.size(), 512 + 2 * leaf);
  std::swap_ranges(bytes.begin() + 512, bytes.begin() + 512 + leaf, bytes.begin() + 512 + leaf);
  expect_older_is_used(bytes, "two leaves of the hash tree changed places");
}

TEST_F(CheckpointDamage, AllDamagedIsAnErrorAndNeverAFreshStart) {
  put(newer_, flipped(5000));
  put(older_, contents(older_).substr(0, 7000));
  try {
    newest();
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find(newer_), std::string::npos) << error.what();
    EXPECT_NE(std::string(error.what()).find(older_), std::string::npos) << error.what();
  }
}

TEST_F(CheckpointDamage, DamagedOneIsNotOpened) {
  put(newer_, flipped(good_.size() / 2));
  EXPECT_EQ(code_of([&] { Checkpoint{newer_}; }), ExitCode::bad_input);
  put(newer_, good_.substr(0, 100));
  EXPECT_EQ(code_of([&] { Checkpoint{newer_}; }), ExitCode::bad_input);
  EXPECT_EQ(code_of([&] { Checkpoint(folder_.path() + "/none.h5"); }), ExitCode::bad_input);
}

TEST_F(CheckpointDamage, NewerSchemaIsRefusedAndNotTakenForDamage) {
  testing::barrier();
  write_seal(newer_, 2, world());
  EXPECT_EQ(code_of([&] { newest(); }), ExitCode::bad_input);
  EXPECT_EQ(code_of([&] { Checkpoint{newer_}; }), ExitCode::bad_input);
}

}  // namespace
}  // namespace tenfold

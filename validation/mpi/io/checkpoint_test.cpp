// Saving and loading on any number of ranks, and keeping the newest good ones.
#include "io/checkpoint.hpp"

#include <gtest/gtest.h>

#include <utility>

#include "base/heartbeat.hpp"
#include "shared_folder.hpp"
#include "state.hpp"

namespace tenfold {
namespace {

using testing::barrier;
using testing::contents;
using testing::listing;
using testing::put;
using testing::SharedFolder;
using testing::State;
using testing::world;

/// All of the world, or only its first ranks (MPI_COMM_NULL on the others).
class FirstRanks {
 public:
  explicit FirstRanks(int ranks) {
    const int color = world().rank() < ranks ? 0 : MPI_UNDEFINED;
    if (MPI_Comm_split(world().native(), color, 0, &communicator_) != MPI_SUCCESS) throw Error("MPI_Comm_split");
  }
  ~FirstRanks() {
    if (communicator_ != MPI_COMM_NULL) MPI_Comm_free(&communicator_);
  }
  MPI_Comm get() const { return communicator_; }
  explicit operator bool() const { return communicator_ != MPI_COMM_NULL; }

 private:
  MPI_Comm communicator_ = MPI_COMM_NULL;
};

SavedCheckpoint save(const SharedFolder& folder, std::int64_t step, int keep) {
  const State state(step);
  return save_checkpoint(folder.path(), step, state.content(world().rank(), world().size()), keep, world().native());
}

TEST(Checkpoint, AnyNumberOfRanksWritesTheSameFileAndReadsIt) {
  const SharedFolder folder;
  const State state(10);
  std::string reference;
  for (const bool scattered : {false, true}) {
    for (int ranks = 1; ranks <= world().size(); ++ranks) {
      std::string path = folder.path() + "/step-00000010.h5";
      const FirstRanks writers(ranks);
      if (writers) {
        const CheckpointContent content = state.content(world().rank(), ranks, scattered);
        EXPECT_EQ(save_checkpoint(folder.path(), 10, content, 2, writers.get()).path, path);
      }
      barrier();
      const std::string file = contents(path);
      if (reference.empty()) reference = file;
      EXPECT_TRUE(file == reference) << ranks << " ranks write other bytes than one";
      const Checkpoint checkpoint(path, world().native());
      EXPECT_TRUE(state.equals(checkpoint, 97 + world().rank()));
      EXPECT_TRUE(checkpoint.has_integer("skipped"));
      EXPECT_FALSE(checkpoint.has_integer("nothing"));
      EXPECT_FALSE(checkpoint.has_tensor("weights/none"));
      EXPECT_EQ(checkpoint.tensors().size(), 8U);
      EXPECT_THROW(checkpoint.shape("weights/none"), Error);
    }
  }
}

// So that a watchdog does not take a slow disk for a stall.
TEST(Checkpoint, SavingGivesSignsOfLife) {
  const SharedFolder folder;
  int beats = 0;
  const Listener before = std::exchange(heartbeat_listener, {[](void* count) { ++*static_cast<int*>(count); }, &beats});
  save(folder, 1, 1);
  heartbeat_listener = before;
  EXPECT_GT(beats, 2);  // of written pieces, and of leaves hashed twice
}

TEST(Checkpoint, NewestAreKept) {
  const SharedFolder folder;
  for (const std::int64_t step : {1, 2, 3, 10}) save(folder, step, 2);
  EXPECT_EQ(listing(folder.path()), (std::vector<std::string>{"step-00000003.h5", "step-00000010.h5"}));
  const SavedCheckpoint saved = save(folder, 11, 1);
  EXPECT_EQ(saved.removed.size(), 2U);
  EXPECT_EQ(saved.bytes, std::filesystem::file_size(saved.path));
  EXPECT_EQ(listing(folder.path()), std::vector<std::string>{"step-00000011.h5"});
  EXPECT_EQ(find_newest_checkpoint(folder.path(), world().native()).path, saved.path);
}

TEST(Checkpoint, SameStepAgainReplacesTheFile) {
  const SharedFolder folder;
  const std::string path = save(folder, 5, 2).path;
  const std::string before = contents(path);
  barrier();
  EXPECT_EQ(save(folder, 5, 2).path, path);
  EXPECT_TRUE(contents(path) == before);
}

TEST(Checkpoint, DamagedOneIsNeitherCountedNorRemoved) {
  const SharedFolder folder;
  const std::string first = save(folder, 1, 2).path;
  const std::string second = save(folder, 2, 2).path;
  const std::string broken = contents(second).substr(0, 5000);
  put(second, broken);
  EXPECT_EQ(save(folder, 3, 2).damaged.at(0).path, second);
  EXPECT_EQ(listing(folder.path()).size(), 3U) << "the good ones are 1 and 3";
  const SavedCheckpoint saved = save(folder, 4, 2);
  EXPECT_EQ(saved.removed, std::vector<std::string>{first});
  EXPECT_TRUE(contents(second) == broken);
}

TEST(Checkpoint, DamagedOneOfTheSameStepIsSetAside) {
  const SharedFolder folder;
  const std::string path = save(folder, 1, 2).path;
  put(path, "not what was saved");
  const SavedCheckpoint saved = save(folder, 1, 2);
  ASSERT_EQ(saved.damaged.size(), 1U);
  EXPECT_EQ(contents(saved.damaged[0].path), "not what was saved");
  EXPECT_EQ(find_newest_checkpoint(folder.path(), world().native()).path, path);
}

TEST(Checkpoint, FolderWithoutOneIsAFreshStart) {
  const SharedFolder folder;
  EXPECT_FALSE(find_newest_checkpoint(folder.path(), world().native()).path);
  EXPECT_FALSE(find_newest_checkpoint(folder.path() + "/none", world().native()).path);
  put(folder.path() + "/notes.txt", "x");
  put(folder.path() + "/step-1.h5.bak", "x");
  EXPECT_FALSE(find_newest_checkpoint(folder.path(), world().native()).path);
}

TEST(Checkpoint, HalfWrittenOnesAreCleanedUpAtTheNextStart) {
  const SharedFolder folder;
  const std::string good = save(folder, 1, 2).path;
  put(folder.path() + "/step-00000002.h5.part", "half");
  EXPECT_EQ(find_newest_checkpoint(folder.path(), world().native()).path, good);
  prepare_checkpoint_folder(folder.path(), world().native());
  EXPECT_EQ(listing(folder.path()), std::vector<std::string>{"step-00000001.h5"});
  prepare_checkpoint_folder(folder.path() + "/made", world().native());
  EXPECT_TRUE(std::filesystem::is_directory(folder.path() + "/made"));
  EXPECT_THROW(prepare_checkpoint_folder(good + "/below", world().native()), InputError);
}

TEST(Checkpoint, ElementsThatNoRankSuppliesAreAnError) {
  const SharedFolder folder;
  const State state(1);
  CheckpointContent content = state.content(world().rank(), world().size());
  if (world().rank() == 0) content.tensors[0].pieces[0].count -= 1;
  EXPECT_THROW(save_checkpoint(folder.path(), 1, content, 2, world().native()), Error);
  EXPECT_TRUE(listing(folder.path()).empty());
}

// One rank fails while the file is open on all of them; all must come back, clean up, and be able to save again.
TEST(Checkpoint, FailureOfOneRankWhileWritingIsEveryonesError) {
  const SharedFolder folder;
  const std::string good = save(folder, 1, 2).path;
  const State state(2);
  CheckpointContent content = state.content(world().rank(), world().size());
  if (world().rank() == world().size() - 1) content.tensors.back().pieces = {{1'000'000, &state, 0}};
  EXPECT_THROW(save_checkpoint(folder.path(), 2, content, 2, world().native()), Error);
  EXPECT_EQ(listing(folder.path()), std::vector<std::string>{"step-00000001.h5"});
  EXPECT_EQ(find_newest_checkpoint(folder.path(), world().native()).path, good);
  EXPECT_NO_THROW(save(folder, 2, 2));
}

}  // namespace
}  // namespace tenfold

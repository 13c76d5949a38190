// Saving and loading on any number of ranks, and keeping the newest good ones.
#include "io/checkpoint.hpp"

#include <gtest/gtest.h>

#include <vector>

#include "shared_folder.hpp"
#include "state.hpp"

namespace tenfold {
namespace {

using testing::barrier;
using testing::code_of;
using testing::contents;
using testing::listing;
using testing::put;
using testing::SharedFolder;
using testing::State;
using testing::world;

SavedCheckpoint save(const SharedFolder& folder, std::int64_t step, int keep) {
  const State state(step);
  return save_checkpoint(folder.path(), step, state.content(world().rank(), world().size()), keep, world());
}

TEST(Checkpoint, AnyNumberOfRanksWritesTheSameFileAndReadsIt) {
  const SharedFolder folder;
  const State state(10);
  std::string reference;
  for (const bool scattered : {false, true}) {
    for (int ranks = 1; ranks <= world().size(); ++ranks) {
      std::string path = folder.path() + "/step-00000010.h5";
      const bool writes = world().rank() < ranks;
      MpiCommunicator group = world().split(writes ? 0 : 1, world().rank());
      if (writes) {
        const CheckpointContent content = state.content(world().rank(), ranks, scattered);
        EXPECT_EQ(save_checkpoint(folder.path(), 10, content, 2, group).path, path);
      }
      barrier();
      const std::string file = contents(path);
      if (reference.empty()) reference = file;
      EXPECT_TRUE(file == reference) << ranks << " ranks write other bytes than one";
      const Checkpoint checkpoint(path, world());
      EXPECT_TRUE(state.equals(checkpoint, 97 + world().rank()));
      EXPECT_THROW(checkpoint.integer("nothing"), Error);
      EXPECT_FALSE(checkpoint.has_tensor("weights/none"));
      EXPECT_EQ(checkpoint.tensors().size(), 8U);
      EXPECT_THROW(checkpoint.shape("weights/none"), Error);
    }
  }
}

// So that a watchdog does not take a slow disk for a stall.
TEST(Checkpoint, SavingGivesSignsOfLife) {
  Progress progress;
  MpiCommunicator watched(world().native(), progress);
  const auto ticks_of_saving = [&](std::int64_t mebibytes) {
    const SharedFolder folder;
    const std::vector<float> values(static_cast<std::size_t>(mebibytes) << 18U);
    const auto count = static_cast<std::int64_t>(values.size());
    CheckpointContent content;
    content.tensors = {{"weights", {count}, {}}};
    if (watched.rank() == 0) content.tensors[0].pieces = {{0, values.data(), count}};
    const std::int64_t before = progress.ticks();
    save_checkpoint(folder.path(), 1, content, 1, watched);
    return progress.ticks() - before;
  };
  const std::int64_t more = ticks_of_saving(17) - ticks_of_saving(1);
  EXPECT_GE(more, 2 * (16 / world().size()));  // each leaf of a mebibyte is hashed twice
}

TEST(Checkpoint, NewestAreKept) {
  const SharedFolder folder;
  for (const std::int64_t step : {1, 2, 3, 10}) save(folder, step, 2);
  EXPECT_EQ(listing(folder.path()), (std::vector<std::string>{"step-00000003.h5", "step-00000010.h5"}));
  const SavedCheckpoint saved = save(folder, 11, 1);
  EXPECT_EQ(saved.bytes, std::filesystem::file_size(saved.path));
  EXPECT_EQ(listing(folder.path()), std::vector<std::string>{"step-00000011.h5"});
  EXPECT_EQ(find_newest_checkpoint(folder.path(), world()).path, saved.path);
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
  save(folder, 4, 2);
  EXPECT_FALSE(std::filesystem::exists(first));
  barrier();
  EXPECT_TRUE(contents(second) == broken);
}

TEST(Checkpoint, DamagedOneOfTheSameStepIsSetAside) {
  const SharedFolder folder;
  const std::string path = save(folder, 1, 2).path;
  put(path, "not what was saved");
  const SavedCheckpoint saved = save(folder, 1, 2);
  ASSERT_EQ(saved.damaged.size(), 1U);
  EXPECT_EQ(contents(saved.damaged[0].path), "not what was saved");
  EXPECT_EQ(find_newest_checkpoint(folder.path(), world()).path, path);
}

TEST(Checkpoint, FolderWithoutOneIsAFreshStart) {
  const SharedFolder folder;
  EXPECT_FALSE(find_newest_checkpoint(folder.path(), world()).path);
  EXPECT_FALSE(find_newest_checkpoint(folder.path() + "/none", world()).path);
  put(folder.path() + "/notes.txt", "x");
  for (const char* name : {"/step-1.h5.bak", "/step-1.h5"}) put(folder.path() + name, "x");
  EXPECT_FALSE(find_newest_checkpoint(folder.path(), world()).path);
}

TEST(Checkpoint, HalfWrittenOnesAreCleanedUpAtTheNextStart) {
  const SharedFolder folder;
  const std::string good = save(folder, 1, 2).path;
  put(folder.path() + "/step-00000002.h5.part", "half");
  EXPECT_EQ(find_newest_checkpoint(folder.path(), world()).path, good);
  prepare_checkpoint_folder(folder.path(), world());
  EXPECT_EQ(listing(folder.path()), std::vector<std::string>{"step-00000001.h5"});
  prepare_checkpoint_folder(folder.path() + "/made", world());
  EXPECT_TRUE(std::filesystem::is_directory(folder.path() + "/made"));
  EXPECT_EQ(code_of([&] { prepare_checkpoint_folder(good + "/below", world()); }), ExitCode::bad_input);
}

TEST(Checkpoint, ElementsThatNoRankSuppliesAreAnError) {
  const SharedFolder folder;
  const State state(1);
  CheckpointContent content = state.content(world().rank(), world().size());
  if (world().rank() == 0) content.tensors[0].pieces[0].count -= 1;
  EXPECT_THROW(save_checkpoint(folder.path(), 1, content, 2, world()), Error);
  EXPECT_TRUE(listing(folder.path()).empty());
}

// One rank fails while the file is open on all of them; all must come back, clean up, and be able to save again.
TEST(Checkpoint, FailureOfOneRankWhileWritingIsEveryonesError) {
  const SharedFolder folder;
  const std::string good = save(folder, 1, 2).path;
  const State state(2);
  CheckpointContent content = state.content(world().rank(), world().size());
  if (world().rank() == world().size() - 1) content.tensors.back().pieces = {{1'000'000, &state, 0}};
  EXPECT_THROW(save_checkpoint(folder.path(), 2, content, 2, world()), Error);
  EXPECT_EQ(listing(folder.path()), std::vector<std::string>{"step-00000001.h5"});
  EXPECT_EQ(find_newest_checkpoint(folder.path(), world()).path, good);
  EXPECT_NO_THROW(save(folder, 2, 2));
}

}  // namespace
}  // namespace tenfold

// Saving and loading on any number of ranks, and keeping the newest good ones.
#include <gtest/gtest.h>

#include <array>
#include <limits>
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
  return Checkpoints(folder.path(), keep, world()).save(step, state.content(world().rank(), world().size()));
}

FoundCheckpoint newest(const std::string& folder) {
  return Checkpoints(folder, 2, world()).open_newest();
}

std::string newest_path(const std::string& folder) {
  const FoundCheckpoint found = newest(folder);
  return found.checkpoint ? found.checkpoint->path() : "none";
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
        EXPECT_EQ(Checkpoints(folder.path(), 2, group).save(10, content).path, path);
      }
      barrier();
      const std::string file = contents(path);
      if (reference.empty()) reference = file;
      EXPECT_TRUE(file == reference) << ranks << " ranks write other bytes than one";
      const FoundCheckpoint found = newest(folder.path());
      LoadedCheckpoint& loaded = *found.checkpoint;
      EXPECT_TRUE(state.equals(loaded, 97)) << "from rank to rank";
      EXPECT_EQ(found.bytes_read, file.size() - seal::seal_bytes) << "each byte once";
      EXPECT_THROW(loaded.integer("nothing"), Error);
      EXPECT_FALSE(loaded.has_tensor("weights/none"));
      EXPECT_THROW(loaded.shape("weights/none"), Error);
      const Checkpoint alone(path);
      EXPECT_TRUE(state.equals(alone, 97 + world().rank())) << "on its own";
      EXPECT_THROW(alone.integer("nothing"), Error);
      EXPECT_FALSE(alone.has_tensor("weights/none"));
      EXPECT_EQ(alone.tensors().size(), 8U);
      EXPECT_THROW(alone.shape("weights/none"), Error);
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
    content.tensors = {{"weights", {count}, {}, DType::f32}};
    if (watched.rank() == 0) content.tensors[0].pieces = pieces_of({count}, {}, 0, count, values.data(), DType::f32);
    Checkpoints checkpoints(folder.path(), 1, watched);
    const std::int64_t before = progress.ticks();
    checkpoints.save(1, content);
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
  EXPECT_EQ(newest_path(folder.path()), saved.path);
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
  EXPECT_EQ(newest_path(folder.path()), path);
}

TEST(Checkpoint, FolderWithoutOneIsAFreshStart) {
  const SharedFolder folder;
  EXPECT_EQ(newest_path(folder.path()), "none");
  EXPECT_EQ(newest_path(folder.path() + "/none"), "none");
  put(folder.path() + "/notes.txt", "x");
  for (const char* name : {"/step-1.h5.bak", "/step-1.h5"}) put(folder.path() + name, "x");
  EXPECT_EQ(newest_path(folder.path()), "none");
}

TEST(Checkpoint, HalfWrittenOnesAreCleanedUpAtTheNextStart) {
  const SharedFolder folder;
  const std::string good = save(folder, 1, 2).path;
  put(folder.path() + "/step-00000002.h5.part", "half");
  EXPECT_EQ(newest_path(folder.path()), good);
  EXPECT_EQ(listing(folder.path()), std::vector<std::string>{"step-00000001.h5"});
  newest(folder.path() + "/made");
  EXPECT_TRUE(std::filesystem::is_directory(folder.path() + "/made"));
  EXPECT_EQ(code_of([&] { newest(good + "/below"); }), ExitCode::bad_input);
}

/// Bytes that this process has read from files.
std::int64_t bytes_read() {
  std::ifstream io("/proc/self/io");
  std::string name;
  std::int64_t bytes = 0;
  io >> name >> bytes;
  EXPECT_EQ(name, "rchar:");
  return bytes;
}

TEST(Checkpoint, WhatWasVerifiedIsNotReadAgain) {
  const SharedFolder folder;
  Checkpoints checkpoints(folder.path(), 9, world());
  std::vector<std::int64_t> read;
  for (const std::int64_t step : {1, 2, 3, 4}) {
    const std::int64_t before = bytes_read();
    checkpoints.save(step, State(step).content(world().rank(), world().size()));
    read.push_back(world().all_reduce_sum(bytes_read() - before));
  }
  EXPECT_LT(read[3], read[0] + read[0] / 4) << "three older ones are there, of which nothing is read";
  Checkpoints next_job(folder.path(), 9, world());
  const std::int64_t before = bytes_read();
  const FoundCheckpoint found = next_job.open_newest();
  const auto size = static_cast<std::int64_t>(found.checkpoint->bytes());
  EXPECT_LT(world().all_reduce_sum(bytes_read() - before), size + size / 10 + 65536) << "and HDF5's records";
}

// Layouts of a tensor group of two, and what is wrong with them.

const Shape matrix{6, 8};
const std::vector<float> zeros(48);

/// Saves one matrix of which each rank hands in the pieces that are its turn.
void save_matrix(const SharedFolder& folder, const std::vector<hdf5::Slab>& slabs) {
  CheckpointContent content;
  content.tensors = {{"weights", matrix, {}, DType::f32}};
  for (std::size_t i = 0; i < slabs.size(); ++i)
    if (static_cast<int>(i) % world().size() == world().rank())
      content.tensors[0].pieces.push_back({slabs[i], zeros.data()});
  Checkpoints(folder.path(), 2, world()).save(1, content);
}

TEST(CheckpointPieces, AnyLayoutThatCoversATensorOnceIsTaken) {
  const SharedFolder folder;
  const std::vector<std::vector<hdf5::Slab>> layouts = {
      {{{0, 0}, {3, 8}}, {{3, 0}, {3, 8}}},                    // rows
      {{{0, 0}, {6, 4}}, {{0, 4}, {6, 4}}},                    // columns
      {{{0, 0}, {6, 8}}},                                      // whole, by one rank
      {{{0, 0}, {6, 4}}, {{0, 4}, {2, 4}}, {{2, 4}, {4, 4}}},  // columns, of which one is shared out
      {{{0, 0}, {3, 8}, 2}, {{1, 0}, {3, 8}, 2}},              // every other row
      {{{0, 0}, {6, 8}}, {{2, 2}, {0, 3}}}};                   // with an empty piece
  for (const auto& layout : layouts) EXPECT_NO_THROW(save_matrix(folder, layout));
}

TEST(CheckpointPieces, OverlapsAndHolesAreRefused) {
  const SharedFolder folder;
  const std::vector<std::vector<hdf5::Slab>> layouts = {
      {{{0, 0}, {3, 8}}},                          // half of it
      {{{0, 0}, {4, 8}}, {{3, 0}, {3, 8}}},        // a row twice
      {{{0, 0}, {3, 8}}, {{2, 0}, {3, 8}}},        // a row twice and another never: as many elements as there are
      {{{0, 0}, {6, 4}}, {{0, 3}, {6, 4}}},        // the same by columns
      {{{0, 0}, {3, 8}, 2}, {{0, 0}, {3, 8}, 2}},  // the even rows twice
      {{{0, 0}, {2, 8}, 3}, {{1, 0}, {2, 8}, 2}, {{4, 0}, {2, 8}}},  // rows 0 3, 1 3, 4 5
      {{{0, 0}, {3, 8}}, {{4, 0}, {3, 8}}},                          // beyond its end
      {{{0, 0}, {3, 8}}, {{3}, {24}}}};                              // of other dimensions
  for (std::size_t i = 0; i < layouts.size(); ++i) EXPECT_THROW(save_matrix(folder, layouts[i]), Error) << i;
  EXPECT_TRUE(listing(folder.path()).empty());
}

/// Element (row, column) of the matrix.
float element(std::int64_t row, std::int64_t column) {
  return static_cast<float>(100 * row + column);
}

// Two slices by columns, of each of which all ranks hold a flat share, as a sharded optimizer does.
TEST(CheckpointPieces, FlatSharesOfASliceComeOutWhereTheyBelong) {
  const SharedFolder folder;
  CheckpointContent content;
  content.tensors = {{"weights", matrix, {}, DType::f32}};
  std::vector<std::vector<float>> slices;
  for (std::int64_t slice = 0; slice < 2; ++slice) {
    const Shape local{6, 4};
    std::vector<float>& values = slices.emplace_back();
    for (std::int64_t i = 0; i < 24; ++i) values.push_back(element(i / 4, 4 * slice + i % 4));
    const std::int64_t begin = 24 * world().rank() / world().size();
    const std::int64_t end = 24 * (world().rank() + 1) / world().size();
    const std::array<std::int64_t, 2> start = {0, 4 * slice};
    for (const TensorPiece& piece : pieces_of(local, start, begin, end - begin, values.data() + begin, DType::f32))
      content.tensors[0].pieces.push_back(piece);
  }
  Checkpoints checkpoints(folder.path(), 2, world());
  checkpoints.save(1, content);
  std::vector<float> found(48);
  checkpoints.open_newest().checkpoint->read("weights", 0, std::span(found));
  for (std::int64_t i = 0; i < 48; ++i) EXPECT_EQ(found[static_cast<std::size_t>(i)], element(i / 8, i % 8));
}

// Rows of ranks that alternate, as those of the note dictionary, in more than one collective write.
TEST(CheckpointPieces, InterleavedRowsComeOutInOrder) {
  const SharedFolder folder;
  const Shape all{4099, 3000};
  const std::int64_t mine = (all[0] - world().rank() + world().size() - 1) / world().size();
  std::vector<float> values(static_cast<std::size_t>(mine * all[1]));
  for (std::int64_t row = 0; row < mine; ++row)
    for (std::int64_t column = 0; column < all[1]; ++column)
      values[static_cast<std::size_t>(row * all[1] + column)] =
          static_cast<float>((world().rank() + row * world().size()) * all[1] + column);
  CheckpointContent content;
  content.tensors = {{"notes", all, pieces_of(all.with_rows(mine), {}, 0, mine * all[1], values.data(), DType::f32),
                      DType::f32, true}};
  hdf5::Slab& slab = content.tensors[0].pieces.at(0).slab;
  slab.start[0] = static_cast<hdf5::Size>(world().rank());
  slab.row_step = static_cast<hdf5::Size>(world().size());
  Checkpoints checkpoints(folder.path(), 2, world());
  checkpoints.save(1, content);
  std::vector<float> found(static_cast<std::size_t>(all.elements()));
  checkpoints.open_newest().checkpoint->read("notes", 0, std::span(found));
  for (std::size_t i = 0; i < found.size(); ++i) ASSERT_EQ(found[i], static_cast<float>(i));
}

// One rank fails while the file is open on all of them; all must come back, clean up, and be able to save again.
TEST(Checkpoint, FailureOfOneRankWhileWritingIsEveryonesError) {
  const SharedFolder folder;
  const std::string good = save(folder, 1, 2).path;
  const State state(2);
  CheckpointContent content = state.content(world().rank(), world().size());
  if (world().rank() == world().size() - 1) content.tensors[5].pieces.at(0).data = nullptr;  // which HDF5 refuses
  EXPECT_THROW(Checkpoints(folder.path(), 2, world()).save(2, content), Error);
  EXPECT_EQ(listing(folder.path()), std::vector<std::string>{"step-00000001.h5"});
  EXPECT_EQ(newest_path(folder.path()), good);
  EXPECT_NO_THROW(save(folder, 2, 2));
}

TEST(Checkpoint, RoomIsAskedForAllThatWillLieThere) {
  const SharedFolder folder;
  CheckpointContent content = State(1).content(world().rank(), world().size());
  const auto room = static_cast<std::int64_t>(std::filesystem::space(folder.path()).available);
  const auto one = static_cast<std::int64_t>(checkpoint_bytes(content));
  const auto most = static_cast<int>(std::min<std::int64_t>(room / one, std::numeric_limits<int>::max() / 2));
  EXPECT_NO_THROW(Checkpoints(folder.path(), most / 2, world()).expect_room(content));
  EXPECT_EQ(code_of([&] { Checkpoints(folder.path(), 2 * most, world()).expect_room(content); }), ExitCode::bad_input);
}

}  // namespace
}  // namespace tenfold

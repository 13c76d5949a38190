// Saving a table and taking it up again on another number of ranks.

#include <filesystem>
#include <fstream>

#include "note_test.hpp"

namespace tenfold {
namespace {

using testing::Contributions;
using testing::draw;
using testing::Notes;
using testing::Table;
using testing::update;
using testing::whole;
using testing::world;

constexpr std::int64_t keys = 53;
constexpr int width = 3;

/// A file that rank 0 writes and removes.
class SavedTable {
 public:
  explicit SavedTable(const Table& table) {
    std::string name = (std::filesystem::temp_directory_path() / "tenfold-notes-XXXXXX").string();
    if (world().rank() == 0) {
      const int descriptor = mkstemp(name.data());
      EXPECT_GE(descriptor, 0);
      EXPECT_EQ(close(descriptor), 0);
      std::ofstream file(name, std::ios::binary);
      write(file, table.rows);
      write(file, table.updates);
      write(file, table.last_steps);
    }
    world().broadcast(name);
    name_ = name;
  }
  ~SavedTable() {
    world().barrier();
    if (world().rank() == 0) std::filesystem::remove(name_);
  }
  SavedTable(const SavedTable&) = delete;
  SavedTable& operator=(const SavedTable&) = delete;

  void read(std::int64_t first, std::span<float> rows, std::span<std::int64_t> updates,
            std::span<std::int64_t> last_steps) const {
    std::ifstream file(name_, std::ios::binary);
    constexpr std::int64_t row_bytes = width * sizeof(float);
    constexpr std::int64_t number_bytes = sizeof(std::int64_t);
    read_at(file, first * row_bytes, rows);
    read_at(file, keys * row_bytes + first * number_bytes, updates);
    read_at(file, keys * (row_bytes + number_bytes) + first * number_bytes, last_steps);
    EXPECT_TRUE(file.good());
  }

 private:
  template <class T>
  static void write(std::ofstream& file, const std::vector<T>& values) {
    file.write(reinterpret_cast<const char*>(values.data()), static_cast<std::streamsize>(values.size() * sizeof(T)));
  }
  template <class T>
  static void read_at(std::ifstream& file, std::int64_t offset, std::span<T> values) {
    file.seekg(offset);
    file.read(reinterpret_cast<char*>(values.data()), static_cast<std::streamsize>(values.size_bytes()));
  }
  std::string name_;
};

/// Steps [first, last) with the contributions spread over the ranks of a group by sample.
void train(NoteDictionary& notes, Communicator& group, std::int64_t first, std::int64_t last) {
  for (std::int64_t step = first; step < last; ++step) {
    Contributions mine = draw(step, keys, width);
    std::erase_if(mine, [&](const auto& each) { return each.source.sample % group.size() != group.rank(); });
    update(notes, step, mine);
  }
}

TEST(NoteShare, IsTheTablesOwnMemory) {
  Notes notes(world(), keys, width, 0.1F);
  const NoteShare share = notes.dictionary.share();
  EXPECT_EQ(share.first, world().rank());
  EXPECT_EQ(share.step, world().size());
  const std::int64_t count = (keys - share.first + share.step - 1) / share.step;
  EXPECT_EQ(static_cast<std::int64_t>(share.rows.size()), count * width);
  EXPECT_EQ(static_cast<std::int64_t>(share.updates.size()), count);
  EXPECT_EQ(static_cast<std::int64_t>(share.last_steps.size()), count);
  EXPECT_EQ(notes.dictionary.share().rows.data(), share.rows.data()) << "no copy";
}

TEST(NoteShare, RestoresTheSameTableOnAnyNumberOfRanks) {
  Notes notes(world(), keys, width, 0.1F);
  train(notes.dictionary, world(), 1, 8);
  const Table saved = whole(notes.dictionary, world());
  const SavedTable file(saved);
  train(notes.dictionary, world(), 8, 12);
  const Table uninterrupted = whole(notes.dictionary, world());
  for (int size = 1; size <= world().size(); ++size) {
    MpiCommunicator group = world().split(world().rank() / size, world().rank());
    Notes resumed(group, keys, width, 0.1F);
    update(resumed.dictionary, 1, {{{group.rank(), 3, 0}, {1, 1, 1}}});  // of which nothing may be left
    resumed.dictionary.restore([&](auto... block) { file.read(block...); });
    EXPECT_EQ(whole(resumed.dictionary, group), saved) << size << " ranks";
    train(resumed.dictionary, group, 8, 12);
    EXPECT_EQ(whole(resumed.dictionary, group), uninterrupted) << size << " ranks";
  }
}

TEST(NoteShare, IsReadInBlocksThatCoverTheTableOnce) {
  constexpr int wide = 1024;
  constexpr std::int64_t many = 2500;
  Notes notes(world(), many, wide, 0.1F);
  std::int64_t next = 0;
  notes.dictionary.restore([&](std::int64_t first, std::span<float> rows, std::span<std::int64_t> updates,
                               std::span<std::int64_t> last_steps) {
    EXPECT_EQ(first, next);
    EXPECT_EQ(rows.size(), updates.size() * wide);
    EXPECT_LT(rows.size_bytes(), 8U << 20U);
    for (std::size_t i = 0; i < updates.size(); ++i) {
      rows[i * wide] = static_cast<float>(next);
      last_steps[i] = 2 * next;
      updates[i] = next++;
    }
  });
  EXPECT_EQ(next, many);
  const Table table = whole(notes.dictionary, world());
  for (std::int64_t key = 0; key < many; ++key) {
    ASSERT_EQ(table.rows[static_cast<std::size_t>(key * wide)], static_cast<float>(key));
    ASSERT_EQ(table.updates[static_cast<std::size_t>(key)], key);
    ASSERT_EQ(table.last_steps[static_cast<std::size_t>(key)], 2 * key);
  }
}

}  // namespace
}  // namespace tenfold

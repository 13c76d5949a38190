// Who reads our files on its own sees neither MPI nor HDF5.
#include "io/checkpoint.hpp"
#include "io/corpus.hpp"
#include "io/file_share.hpp"
#include "io/manifest.hpp"
#include "io/step_dump.hpp"
#include "io/trace.hpp"

#if defined(MPI_VERSION) || defined(H5_VERS_MAJOR)
#error "a header of io brings mpi.h or hdf5.h in"
#endif

#include <gtest/gtest.h>

#include <cstring>
#include <fstream>

#include "io/seal.hpp"
#include "temporary_folder.hpp"

namespace tenfold {
namespace {

// A share of a file: leaves, their hashes, and what was given back.
TEST(FileShare, HoldsItsLeavesUntilTheyAreForgotten) {
  const TemporaryFolder folder;
  std::string content(seal::seal_bytes + 3 * seal::leaf_bytes + 1000, '\0');
  for (std::size_t i = 0; i < content.size(); ++i) content[i] = static_cast<char>(i * 7 + i / 4096);
  std::ofstream(folder / "file", std::ios::binary) << content;
  Progress progress;
  FileShare share(folder / "file", content.size(), 1, 4, progress);
  EXPECT_EQ(share.begin(), seal::seal_bytes + seal::leaf_bytes);
  EXPECT_EQ(share.end(), content.size());
  EXPECT_EQ(progress.ticks(), 3);
  EXPECT_EQ(share.hashes(), seal::hash_leaves(folder / "file", content.size(), 1, 4, progress));
  const auto same = [&](std::uint64_t offset, std::uint64_t count) {
    return std::memcmp(share.bytes(offset, count).data(), content.data() + offset, count) == 0;
  };
  EXPECT_TRUE(same(share.begin(), share.end() - share.begin()));
  EXPECT_THROW(share.bytes(share.begin() - 1, 2), Error);
  EXPECT_THROW(share.bytes(share.end() - 1, 2), Error);
  share.forget(share.begin() + 100, 3 * 4096);
  EXPECT_TRUE(same(share.begin(), 4096)) << "a page of which only a part is forgotten stays";
  EXPECT_THROW(share.bytes(share.begin() + 4096, 1), Error) << "never a silent zero";
  EXPECT_TRUE(same(share.begin() + 4 * 4096, 1 << 20));
  EXPECT_TRUE(FileShare(folder / "file", content.size(), 2, 2, progress).hashes().empty());
}

}  // namespace
}  // namespace tenfold

// Room on the disk, from a file system that can book it and from one that cannot.
#include <dlfcn.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cerrno>

#include "base/check.hpp"
#include "io/posix.hpp"
#include "temporary_folder.hpp"

namespace {

int failure = 0;  // of fallocate; 0: it works
int calls = 0;

}  // namespace

// Stands before the C library's.
extern "C" int fallocate(int file, int mode, off_t offset, off_t length) {
  ++calls;
  if (failure == 0)
    return reinterpret_cast<int (*)(int, int, off_t, off_t)>(dlsym(RTLD_NEXT, "fallocate"))(file, mode, offset, length);
  errno = failure;
  if (failure == EINTR) failure = 0;
  return -1;
}

namespace tenfold::detail {
namespace {

constexpr std::uint64_t mebi = 1 << 20;

struct Reserved {
  std::uint64_t length, on_disk;
  std::int64_t ticks;
  std::string beginning;
};

/// A file that begins with some text, and room reserved behind a hole.
Reserved reserve(const std::string& path) {
  Descriptor file(path, O_RDWR | O_CREAT | O_TRUNC);
  file.write("text");
  Progress progress;
  file.reserve(8 * mebi, 5 * mebi + 1, progress);
  struct stat status {};
  EXPECT_EQ(::fstat(file.get(), &status), 0);
  return {file.length(), static_cast<std::uint64_t>(status.st_blocks) * 512, progress.ticks(),
          read_file(path).substr(0, 4)};
}

TEST(Reserve, TakesBlocksWithoutTouchingThem) {
  const TemporaryFolder folder;
  failure = 0;
  const Reserved made = reserve(folder / "file");
  EXPECT_EQ(made.length, 13 * mebi + 1);
  EXPECT_GE(made.on_disk, 5 * mebi + 1);
  EXPECT_LT(made.on_disk, 8 * mebi) << "the hole stays one";
  EXPECT_EQ(made.beginning, "text");
}

TEST(Reserve, IsTakenUpAgainAfterASignal) {
  const TemporaryFolder folder;
  failure = EINTR;
  calls = 0;
  EXPECT_GE(reserve(folder / "file").on_disk, 5 * mebi + 1);
  EXPECT_EQ(calls, 2);
}

TEST(Reserve, WritesZerosWhereTheFileSystemCannotWithSignsOfLife) {
  const TemporaryFolder folder;
  for (const int code : {EOPNOTSUPP, ENOSYS}) {
    failure = code;
    const Reserved made = reserve(folder / "file");
    EXPECT_EQ(made.length, 13 * mebi + 1);
    EXPECT_GE(made.on_disk, 5 * mebi + 1);
    EXPECT_LT(made.on_disk, 8 * mebi);
    EXPECT_EQ(made.beginning, "text");
    EXPECT_EQ(made.ticks, 6) << "one a mebibyte";
  }
}

TEST(Reserve, NoRoomIsAnError) {
  const TemporaryFolder folder;
  failure = ENOSPC;
  try {
    reserve(folder / "file");
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("No space left"), std::string::npos) << error.what();
    EXPECT_NE(std::string(error.what()).find(folder / "file"), std::string::npos) << error.what();
  }
  failure = 0;
}

}  // namespace
}  // namespace tenfold::detail

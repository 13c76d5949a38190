// No room: a clean error on all ranks that says what was needed, with the checkpoints saved before intact.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>

#include "shared_folder.hpp"
#include "state.hpp"

namespace tenfold {
namespace {

using testing::barrier;
using testing::listing;
using testing::SharedFolder;
using testing::State;
using testing::world;

SavedCheckpoint save(Checkpoints& checkpoints, std::int64_t step) {
  const State state(step);
  return checkpoints.save(step, state.content(world().rank(), world().size()));
}

void expect_clean_failure(Checkpoints& checkpoints, const std::string& folder, std::int64_t step) {
  const std::vector<std::string> before = listing(folder);
  try {
    save(checkpoints, step);
    FAIL() << "there was room";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::failure);
    EXPECT_NE(std::string(error.what()).find(folder), std::string::npos) << error.what();
    EXPECT_NE(std::string(error.what()).find("bytes"), std::string::npos) << error.what();
  }
  EXPECT_EQ(listing(folder), before);
  const FoundCheckpoint found = checkpoints.open_newest();
  EXPECT_TRUE(found.damaged.empty());
  ASSERT_TRUE(found.checkpoint);
  EXPECT_EQ(found.checkpoint->path(), folder + "/" + before.back());
}

/// The largest file that this process may write, as a limit of the operating system; restored at the end.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) : handler_(::signal(SIGXFSZ, SIG_IGN)) {
    if (::getrlimit(RLIMIT_FSIZE, &before_) != 0) throw Error("getrlimit");
    const rlimit limit{bytes, before_.rlim_max};
    if (::setrlimit(RLIMIT_FSIZE, &limit) != 0) throw Error("setrlimit");
  }
  ~FileSizeLimit() {
    ::setrlimit(RLIMIT_FSIZE, &before_);
    ::signal(SIGXFSZ, handler_);
  }

 private:
  rlimit before_{};
  sighandler_t handler_;
};

TEST(CheckpointSpace, FileSizeLimit) {
  const SharedFolder folder;
  Checkpoints checkpoints(folder.path(), 9, world());
  save(checkpoints, 1);
  for (const rlim_t bytes : {0, 600, 4096, 100'000, 2'000'000}) {
    const FileSizeLimit limit(bytes);
    expect_clean_failure(checkpoints, folder.path(), 2);
    barrier();
  }
  EXPECT_NO_THROW(save(checkpoints, 2)) << "once there is room again";
}

TEST(CheckpointSpace, FullDisk) {
  const SharedFolder folder;
  int mounted = 0;
  if (world().rank() == 0) mounted = ::mount("tmpfs", folder.path().c_str(), "tmpfs", 0, "size=6m") == 0 ? 1 : 0;
  mounted = static_cast<int>(world().all_reduce_max(std::int64_t{mounted}));
  if (mounted == 0) GTEST_SKIP() << "needs the right to mount a tmpfs";
  Checkpoints checkpoints(folder.path(), 9, world());
  save(checkpoints, 1);
  save(checkpoints, 2);
  expect_clean_failure(checkpoints, folder.path(), 3);
  barrier();
  const int unmounted = world().rank() == 0 ? ::umount2(folder.path().c_str(), MNT_DETACH) : 0;
  EXPECT_EQ(unmounted, 0);
}

}  // namespace
}  // namespace tenfold

#include "io/run_folder.hpp"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <fstream>
#include <optional>
#include <sstream>

#include "base/check.hpp"
#include "temporary_folder.hpp"

namespace tenfold {
namespace {

std::string contents(const std::string& path) {
  std::ostringstream out;
  out << std::ifstream(path).rdbuf();
  return out.str();
}

/// A process that holds the lock of a folder until it is killed.
class Holder {
 public:
  explicit Holder(const std::string& folder) {
    std::array<int, 2> ready{};
    if (::pipe(ready.data()) != 0) throw std::runtime_error("pipe");
    child_ = ::fork();
    if (child_ == 0) {
      const RunFolder held(folder);
      const bool told = ::write(ready[1], "x", 1) == 1;
      while (told) ::pause();
      ::_exit(1);
    }
    char byte = 0;
    if (::read(ready[0], &byte, 1) != 1) throw std::runtime_error("the holder did not start");
    ::close(ready[0]);
    ::close(ready[1]);
  }
  void kill() {
    ::kill(child_, SIGKILL);
    ::waitpid(child_, nullptr, 0);
  }
  pid_t pid() const { return child_; }

 private:
  pid_t child_ = -1;
};

TEST(RunFolder, IsMadeAndSaysWhoHoldsIt) {
  const TemporaryFolder folder;
  {
    const RunFolder run(folder / "a/b");
    EXPECT_NE(contents(folder / "a/b/lock").find("pid " + std::to_string(::getpid())), std::string::npos);
    EXPECT_FALSE(run.holds_run());
  }
  EXPECT_EQ(contents(folder / "a/b/lock"), "");
  EXPECT_NO_THROW(RunFolder(folder / "a/b"));
}

TEST(RunFolder, IsRefusedToASecondProcessUntilTheFirstIsDead) {
  const TemporaryFolder folder;
  Holder holder(folder.path());
  try {
    const RunFolder second(folder.path());
    FAIL() << "the lock was given twice";
  } catch (const InputError& error) {
    EXPECT_NE(std::string(error.what()).find("pid " + std::to_string(holder.pid())), std::string::npos) << error.what();
  }
  holder.kill();
  EXPECT_NO_THROW(RunFolder(folder.path()));
}

TEST(RunFolder, IsRefusedWithinOneProcessToo) {
  const TemporaryFolder folder;
  const RunFolder first(folder.path());
  EXPECT_THROW(RunFolder(folder.path()), InputError);
}

TEST(RunFolder, NewRunNeverOverwritesAnOldOne) {
  for (const char* file : {"trace.h5", "manifest.json", "checkpoints/step-00000001.h5"}) {
    const TemporaryFolder folder;
    const RunFolder run(folder.path());
    EXPECT_NO_THROW(run.expect_new());
    std::filesystem::create_directories(run.checkpoints());
    EXPECT_NO_THROW(run.expect_new());
    std::ofstream(folder / file) << "x";
    EXPECT_THROW(run.expect_new(), InputError) << file;
    EXPECT_EQ(contents(folder / file), "x");
  }
}

TEST(RunFolder, UnusablePathsAreTheUsersInput) {
  const TemporaryFolder folder;
  std::ofstream(folder / "file") << "x";
  EXPECT_THROW(RunFolder(folder / "file"), InputError);
  EXPECT_THROW(RunFolder(folder / "file/below"), InputError);
  EXPECT_THROW(RunFolder("/proc/tenfold"), InputError);
}

TEST(LogFile, GrowsOverRuns) {
  const TemporaryFolder folder;
  LogFile(folder / "log.txt").line("one");
  LogFile(folder / "log.txt").line("two");
  EXPECT_EQ(contents(folder / "log.txt"), "one\ntwo\n");
}

}  // namespace
}  // namespace tenfold

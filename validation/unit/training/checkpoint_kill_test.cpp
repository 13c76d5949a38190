// kill -9 at any moment of saving leaves a folder that a run can go on from, with every file under a final name good.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <random>
#include <thread>

#include "../io/temporary_folder.hpp"

namespace {

/// A saver process and the step that it went on from.
class Saver {
 public:
  explicit Saver(const std::string& folder, bool only_check = false) {
    std::array<int, 2> output{};
    if (::pipe(output.data()) != 0) throw std::runtime_error("pipe");
    child_ = ::fork();
    if (child_ == 0) {
      ::dup2(output[1], STDOUT_FILENO);
      ::execl(SAVER, SAVER, folder.c_str(), only_check ? "check" : nullptr, nullptr);
      ::_exit(1);
    }
    ::close(output[1]);
    FILE* stream = ::fdopen(output[0], "r");
    long long step = -1;
    if (std::fscanf(stream, "going on from %lld", &step) == 1) step_ = step;
    std::fclose(stream);
  }
  /// -1 if the saver failed before it could go on.
  std::int64_t step() const { return step_; }
  void kill() { ::kill(child_, SIGKILL); }
  int wait() {
    int status = 0;
    ::waitpid(child_, &status, 0);
    return status;
  }

 private:
  pid_t child_ = -1;
  std::int64_t step_ = -1;
};

TEST(Checkpoint, KilledSavingCanBeGoneOnFrom) {
  const TemporaryFolder folder;
  std::mt19937 random(1);
  std::int64_t reached = 0;
  for (int round = 0; round < 10; ++round) {
    Saver saver(folder / "checkpoints");
    ASSERT_GE(saver.step(), reached) << "a saved step was lost in round " << round;
    reached = saver.step();
    std::this_thread::sleep_for(std::chrono::microseconds(20'000 + random() % 150'000));
    saver.kill();
    ASSERT_TRUE(WIFSIGNALED(saver.wait()));
  }
  Saver last(folder / "checkpoints", true);
  EXPECT_EQ(last.wait(), 0);
  EXPECT_GT(last.step(), 0) << "no round came as far as a checkpoint: the test shows nothing";
  int files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder / "checkpoints")) {
    EXPECT_EQ(entry.path().extension(), ".h5");
    ++files;
  }
  EXPECT_LE(files, 3) << "two are kept, and a third if the last was killed before it was removed";
}

}  // namespace

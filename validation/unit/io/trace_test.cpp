#include "io/trace.hpp"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cmath>
#include <fstream>

#include "temporary_folder.hpp"

namespace tenfold {
namespace {

const std::vector<TraceTable> tables = {{"train", {{"step", DType::i64}, {"loss", DType::f64}, {"tokens", DType::i64}}},
                                        {"validation", {{"step", DType::i64}, {"loss", DType::f64}}}};

const TraceHeader header = {
    {{"configuration", "run.seed = 7\n"}, {"version", "1"}}, {{"hosts", {"a", "bc"}}}, {{"seed", 7}}};

void append_steps(TraceWriter& trace, std::int64_t first, std::int64_t last) {
  for (std::int64_t step = first; step <= last; ++step) {
    trace.append("train", std::array<TraceValue, 3>{step, 1.0 / static_cast<double>(step), step * 100});
    if (step % 10 == 0) trace.append("validation", std::array<TraceValue, 2>{step, -static_cast<double>(step)});
  }
}

std::vector<std::int64_t> steps_of(const std::string& path, const std::string& table = "train") {
  return TraceReader(path).column<std::int64_t>(table, "step");
}

std::vector<std::int64_t> up_to(std::int64_t last) {
  std::vector<std::int64_t> steps;
  for (std::int64_t step = 1; step <= last; ++step) steps.push_back(step);
  return steps;
}

/// What Debian's h5py makes of the last train step and loss; empty without h5py.
std::string seen_by_h5py(const std::string& path, bool swmr) {
  const std::string script =
      "import h5py; f = h5py.File('" + path + "', 'r', swmr=" + (swmr ? "True" : "False") +
      "); t = f['train']; n = min(len(t[k]) for k in t); print(n, t['step'][n-1], t['tokens'][n-1])";
  FILE* pipe = ::popen(
      ("/usr/bin/python3 -c 'import h5py' 2>/dev/null && /usr/bin/python3 -c \"" + script + "\" 2>/dev/null").c_str(),
      "r");
  std::string out;
  std::array<char, 256> buffer{};
  while (pipe != nullptr && ::fgets(buffer.data(), buffer.size(), pipe) != nullptr) out += buffer.data();
  if (pipe != nullptr) ::pclose(pipe);
  return out;
}

TEST(Trace, RowsAreSeenWhileTheRunGoesOn) {
  const TemporaryFolder folder;
  const std::string path = folder / "trace.h5";
  TraceWriter trace(path, tables, header);
  EXPECT_EQ(TraceReader(path).rows("train"), 0U);
  for (std::int64_t step = 1; step <= 1500; step += 100) {
    append_steps(trace, step, step + 99);
    ASSERT_EQ(steps_of(path), up_to(step + 99));
  }
  EXPECT_EQ(steps_of(path, "validation").size(), 150U);
  const TraceReader reader(path);
  EXPECT_EQ(reader.text("configuration"), "run.seed = 7\n");
  EXPECT_EQ(reader.list("hosts"), (std::vector<std::string>{"a", "bc"}));
  EXPECT_EQ(reader.integer("seed"), 7);
  EXPECT_EQ(reader.column<double>("train", "loss").at(3), 0.25);
}

TEST(Trace, H5pyReadsItDuringAndAfterTheRun) {
  const TemporaryFolder folder;
  const std::string path = folder / "trace.h5";
  TraceWriter trace(path, tables, header);
  append_steps(trace, 1, 3);
  const std::string during = seen_by_h5py(path, true);
  if (during.empty()) GTEST_SKIP() << "needs python3-h5py";
  EXPECT_EQ(during, "3 3 300\n");
  EXPECT_EQ(seen_by_h5py(path, false), "") << "a file being written opens in SWMR mode only";
  append_steps(trace, 4, 4);
  trace.close();
  EXPECT_EQ(seen_by_h5py(path, false), "4 4 400\n");
}

TEST(Trace, RowsGatherUntilTheyAreFlushed) {
  const TemporaryFolder folder;
  const std::string path = folder / "trace.h5";
  TraceWriter trace(path, tables, header, {}, 10);
  append_steps(trace, 1, 19);
  EXPECT_EQ(steps_of(path), up_to(10));
  trace.flush();
  EXPECT_EQ(steps_of(path), up_to(19));
}

TEST(Trace, RowsMustFitTheirTable) {
  const TemporaryFolder folder;
  TraceWriter trace(folder / "trace.h5", tables, header);
  EXPECT_THROW(trace.append("test", std::array<TraceValue, 2>{std::int64_t{1}, 1.0}), Error);
  EXPECT_THROW(trace.append("validation", std::array<TraceValue, 1>{std::int64_t{1}}), Error);
  EXPECT_THROW(trace.append("validation", std::array<TraceValue, 2>{1.0, 1.0}), Error);
}

TEST(Trace, ResumeKeepsTheRowsUpToItsCheckpoint) {
  const TemporaryFolder folder;
  const std::string path = folder / "trace.h5";
  {
    TraceWriter trace(path, tables, header);
    append_steps(trace, 1, 1234);
  }
  TraceHeader changed = header;
  changed.texts["configuration"] = "run.seed = 8\n";
  {
    TraceWriter trace(path, tables, changed, 1000);
    EXPECT_EQ(steps_of(path), up_to(1000));
    append_steps(trace, 1001, 1010);
  }
  const TraceReader reader(path);
  EXPECT_EQ(steps_of(path), up_to(1010));
  EXPECT_EQ(reader.column<double>("train", "loss").at(499), 1.0 / 500);
  EXPECT_EQ(steps_of(path, "validation").size(), 101U);
  EXPECT_EQ(reader.text("configuration"), "run.seed = 8\n");
}

TEST(Trace, ResumeAfterAKilledWriter) {
  const TemporaryFolder folder;
  const std::string path = folder / "trace.h5";
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    TraceWriter trace(path, tables, header);
    append_steps(trace, 1, 700);
    ::kill(::getpid(), SIGKILL);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFSIGNALED(status));
  EXPECT_EQ(steps_of(path), up_to(700));
  {
    TraceWriter trace(path, tables, header, 600);
    append_steps(trace, 601, 605);
  }
  EXPECT_EQ(steps_of(path), up_to(605));
}

TEST(Trace, ResumeWithFurtherColumnsMarksWhatIsMissing) {
  const TemporaryFolder folder;
  const std::string path = folder / "trace.h5";
  {
    TraceWriter trace(path, tables, header);
    append_steps(trace, 1, 5);
  }
  std::vector<TraceTable> more = tables;
  more[1].columns.push_back({"accuracy", DType::f64});
  more[0].columns.insert(more[0].columns.begin() + 1, {"skipped", DType::i64});
  more.push_back({"notes", {{"step", DType::i64}}});
  {
    TraceWriter trace(path, more, header, 3);
    trace.append("train", std::array<TraceValue, 4>{std::int64_t{4}, std::int64_t{2}, 0.5, std::int64_t{7}});
  }
  const TraceReader reader(path);
  EXPECT_EQ(reader.column<std::int64_t>("train", "skipped"), (std::vector<std::int64_t>{-1, -1, -1, 2}));
  EXPECT_EQ(reader.column<std::int64_t>("train", "tokens"), (std::vector<std::int64_t>{100, 200, 300, 7}));
  EXPECT_THROW(TraceWriter(path, tables, header, 4), InputError) << "a column would be lost";
  EXPECT_EQ(steps_of(path), up_to(4)) << "and what was there stays";
}

TEST(Trace, WithoutResumeTheOldRowsAreNotTakenOver) {
  const TemporaryFolder folder;
  const std::string path = folder / "trace.h5";
  { TraceWriter(path, tables, header).append("validation", std::array<TraceValue, 2>{std::int64_t{1}, 1.0}); }
  { TraceWriter(path, tables, header); }
  EXPECT_EQ(TraceReader(path).rows("validation"), 0U);
}

TEST(Trace, DamagedTraceIsNamed) {
  const TemporaryFolder folder;
  std::ofstream(folder / "trace.h5") << "no HDF5";
  EXPECT_THROW(TraceReader(folder / "trace.h5"), InputError);
  EXPECT_THROW(TraceWriter(folder / "trace.h5", tables, header, 5), InputError);
}

}  // namespace
}  // namespace tenfold

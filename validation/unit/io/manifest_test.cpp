#include "io/manifest.hpp"

#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "base/check.hpp"
#include "base/version.hpp"
#include "io/mllog.hpp"
#include "temporary_folder.hpp"

namespace tenfold {
namespace {

nlohmann::json parse(const std::string& path) {
  std::ifstream file(path);
  return nlohmann::json::parse(file);
}

RunDescription description() {
  RunDescription run;
  run.configuration = {{"model.layers", "12"}};
  run.libraries = {{"hdf5", "1.10.8"}};
  run.hosts = {"a", "b"};
  run.corpus = "corpus.h5";
  run.corpus_digest = "abc";
  run.parameters = 12345;
  return run;
}

TEST(Manifest, TellsWhatRanAndHowItEnded) {
  const TemporaryFolder folder;
  Manifest manifest(folder / "manifest.json", description());
  const nlohmann::json running = parse(folder / "manifest.json");
  EXPECT_EQ(running["parameters"], 12345);
  EXPECT_EQ(running["configuration"]["model.layers"], "12");
  EXPECT_EQ(running["corpus"]["digest"], "abc");
  EXPECT_EQ(running["jobs"][0]["git_commit"], git_commit());
  EXPECT_TRUE(running["jobs"][0]["end"].is_null());
  EXPECT_TRUE(running["jobs"][0]["exit_status"].is_null());

  manifest.set_checkpoints({"checkpoints/step-00000010.h5"});
  manifest.finish(75, 10);
  const nlohmann::json ended = parse(folder / "manifest.json");
  EXPECT_EQ(ended["checkpoints"][0], "checkpoints/step-00000010.h5");
  EXPECT_EQ(ended["jobs"][0]["exit_status"], 75);
  EXPECT_EQ(ended["jobs"][0]["last_step"], 10);
  EXPECT_TRUE(ended["jobs"][0]["end"].is_string());
}

TEST(Manifest, KeepsTheJobsBefore) {
  const TemporaryFolder folder;
  Manifest(folder / "manifest.json", description()).finish(75, 10);
  RunDescription second = description();
  second.first_step = 10;
  Manifest(folder / "manifest.json", second).finish(0, 20);
  const nlohmann::json both = parse(folder / "manifest.json");
  ASSERT_EQ(both["jobs"].size(), 2U);
  EXPECT_EQ(both["jobs"][0]["exit_status"], 75);
  EXPECT_EQ(both["jobs"][1]["first_step"], 10);
}

TEST(Manifest, RefusesWhatItCannotRead) {
  const TemporaryFolder folder;
  std::ofstream(folder / "broken.json") << R"({"schema": 1, "jo)";
  EXPECT_THROW(Manifest(folder / "broken.json", description()), InputError);
  std::ofstream(folder / "newer.json") << R"({"schema": 2, "jobs": []})";
  EXPECT_THROW(Manifest(folder / "newer.json", description()), InputError);
}

// The rules are those of mlperf_logging's parser: prefix, then JSON with these fields.
TEST(MlLog, LinesAreInTheMlperfFormat) {
  const TemporaryFolder folder;
  MlLog log(folder / "mllog.txt");
  log.start("run_start");
  log.point("seed", 7);
  log.point("eval_accuracy", 3.5, {{"samples_count", 640}});
  log.end("run_stop", {{"status", "success"}});
  std::ifstream file(folder / "mllog.txt");
  std::vector<nlohmann::json> events;
  for (std::string line; std::getline(file, line);) {
    ASSERT_TRUE(line.starts_with(":::MLLOG ")) << line;
    events.push_back(nlohmann::json::parse(line.substr(9)));
  }
  ASSERT_EQ(events.size(), 4U);
  for (const nlohmann::json& event : events) {
    for (const char* field : {"namespace", "time_ms", "event_type", "key", "value", "metadata"}) {
      EXPECT_TRUE(event.contains(field)) << field;
    }
    EXPECT_GT(event["time_ms"], 1'600'000'000'000);
    EXPECT_EQ(event["metadata"]["file"], "manifest_test.cpp");
    EXPECT_GT(event["metadata"]["lineno"], 1);
  }
  EXPECT_EQ(events[0]["event_type"], "INTERVAL_START");
  EXPECT_TRUE(events[0]["value"].is_null());
  EXPECT_EQ(events[1]["event_type"], "POINT_IN_TIME");
  EXPECT_EQ(events[1]["value"], 7);
  EXPECT_EQ(events[2]["metadata"]["samples_count"], 640);
  EXPECT_EQ(events[3]["event_type"], "INTERVAL_END");
  EXPECT_EQ(events[3]["metadata"]["status"], "success");
}

}  // namespace
}  // namespace tenfold

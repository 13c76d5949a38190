#pragma once
// mllog.txt: events in the MLPerf logging format, one `:::MLLOG {json}` a line, as MLPerf's own result checkers read it
// (github.com/mlcommons/logging, mlperf_logging/mllog).

#include <nlohmann/json.hpp>
#include <string>

#include "base/check.hpp"
#include "io/run_folder.hpp"

namespace tenfold {

class MlLog {
 public:
  explicit MlLog(const std::string& path) : file_(path) {}

  using Json = nlohmann::ordered_json;
  using Place = SourcePlace;

  /// The keys and their metadata are MLPerf's: start("run_start"), end("run_stop", {{"status", "success"}}),
  /// point("seed", 1), point("eval_accuracy", 3.2, {{"samples_count", 6400}}).
  void start(const char* key, const Json& metadata = Json::object(), Place place = Place::current());
  void end(const char* key, const Json& metadata = Json::object(), Place place = Place::current());
  void point(const char* key, const Json& value, const Json& metadata = Json::object(), Place place = Place::current());

 private:
  void write(const char* type, const char* key, const Json& value, const Json& metadata, const Place& place);
  LogFile file_;
};

}  // namespace tenfold

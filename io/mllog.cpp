#include "io/mllog.hpp"

#include <chrono>
#include <filesystem>

namespace tenfold {

void MlLog::start(const char* key, const Json& metadata, Place place) {
  write("INTERVAL_START", key, nullptr, metadata, place);
}

void MlLog::end(const char* key, const Json& metadata, Place place) {
  write("INTERVAL_END", key, nullptr, metadata, place);
}

void MlLog::point(const char* key, const Json& value, const Json& metadata, Place place) {
  write("POINT_IN_TIME", key, value, metadata, place);
}

void MlLog::write(const char* type, const char* key, const Json& value, const Json& metadata, const Place& place) {
  using std::chrono::milliseconds;
  const auto time = std::chrono::duration_cast<milliseconds>(std::chrono::system_clock::now().time_since_epoch());
  Json event = {{"namespace", ""}, {"time_ms", time.count()}, {"event_type", type}, {"key", key}, {"value", value}};
  event["metadata"] = {{"file", std::filesystem::path(place.file_name()).filename().string()},
                       {"lineno", place.line()}};
  event["metadata"].update(metadata);
  file_.line(":::MLLOG " + event.dump(-1, ' ', false, Json::error_handler_t::replace));
}

}  // namespace tenfold

#include "io/manifest.hpp"

#include <array>
#include <ctime>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/check.hpp"
#include "base/version.hpp"
#include "io/detail/job.hpp"
#include "io/posix.hpp"

namespace tenfold {

using Json = nlohmann::ordered_json;

namespace {

constexpr int manifest_schema = 1;

/// "2026-01-31T12:00:00Z"
std::string now() {
  const std::time_t seconds = std::time(nullptr);
  std::tm utc{};
  std::array<char, 32> buffer{};
  TENFOLD_VERIFY(gmtime_r(&seconds, &utc) != nullptr, "time ", seconds);
  TENFOLD_VERIFY(std::strftime(buffer.data(), buffer.size(), "%Y-%m-%dT%H:%M:%SZ", &utc) > 0, "time ", seconds);
  return buffer.data();
}

/// What the jobs before left.
Json content_before(const std::string& path) {
  if (!std::filesystem::exists(path)) return {{"checkpoints", Json::array()}, {"jobs", Json::array()}};
  return read_manifest(path);
}

}  // namespace

Json read_manifest(const std::string& path) {
  Json content = Json::parse(detail::read_file(path), nullptr, false);
  const auto has = [&](const char* key, Json::value_t type) {
    return content.contains(key) && content.at(key).type() == type;
  };
  if (!content.is_object() || !has("schema", Json::value_t::number_unsigned) || !has("jobs", Json::value_t::array) ||
      !has("checkpoints", Json::value_t::array)) {
    throw InputError(text(path, " is no manifest of tenfold, or damaged; move it away to resume without its record"));
  }
  if (content.at("schema") > manifest_schema) {
    throw InputError(text(path, " has schema version ", content.at("schema").dump(), "; this tenfold reads up to ",
                          manifest_schema, ": use a newer one"));
  }
  return content;
}

Manifest::Manifest(const std::string& path, const RunDescription& run)
    : path_(path), content_(std::make_unique<Json>()) {
  const Json before = content_before(path);
  Json jobs = before.at("jobs");
  jobs.push_back({{"version", version()},
                  {"git_commit", git_commit()},
                  {"libraries", run.libraries},
                  {"hosts", run.hosts},
                  {"job", detail::job_id()},
                  {"start", now()},
                  {"end", nullptr},
                  {"exit_status", nullptr},
                  {"first_step", run.first_step},
                  {"last_step", nullptr}});
  *content_ = {{"schema", manifest_schema},
               {"configuration", run.configuration},
               {"corpus", {{"path", run.corpus}, {"digest", run.corpus_digest}}},
               {"parameters", run.parameters},
               {"checkpoints", before.at("checkpoints")},
               {"jobs", std::move(jobs)}};
  write();
}

Manifest::~Manifest() = default;

void Manifest::set_checkpoints(const std::vector<std::string>& paths) {
  content_->at("checkpoints") = paths;
  write();
}

void Manifest::finish(int exit_status, std::int64_t last_step) {
  Json& job = content_->at("jobs").back();
  job["end"] = now();
  job["exit_status"] = exit_status;
  job["last_step"] = last_step;
  write();
}

void Manifest::write() const {
  detail::replace_file(path_, content_->dump(2, ' ', false, Json::error_handler_t::replace) + "\n");
}

}  // namespace tenfold

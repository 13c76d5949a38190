#pragma once
// manifest.json: what ran, on what, with what, and how it ended. Rewritten as a whole under a temporary name and
// renamed, so that a reader never sees half of it. Written by rank 0.

#include <cstdint>
#include <map>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

namespace tenfold {

struct RunDescription {
  std::map<std::string, std::string> configuration;  ///< effective, by key
  std::map<std::string, std::string> libraries;      ///< version by name
  std::vector<std::string> hosts;                    ///< of each rank
  std::string corpus;
  std::string corpus_digest;
  std::int64_t parameters = 0;
  std::int64_t first_step = 0;  ///< steps done before this job
};

/// The content of a manifest. InputError if the file is none, or of a newer schema version.
nlohmann::ordered_json read_manifest(const std::string& path);

class Manifest {
 public:
  /// Begins a job: the description replaces that of the jobs before, whose records are kept if the file is there.
  /// InputError if it is there but cannot be read.
  Manifest(const std::string& path, const RunDescription& run);
  Manifest(const Manifest&) = delete;
  Manifest& operator=(const Manifest&) = delete;
  ~Manifest();

  /// The checkpoints that the run has now.
  void set_checkpoints(const std::vector<std::string>& paths);
  /// Ends the job.
  void finish(int exit_status, std::int64_t last_step);

 private:
  void write() const;
  std::string path_;
  std::unique_ptr<nlohmann::ordered_json> content_;
};

}  // namespace tenfold

#pragma once
// The folder that a run owns: trace.h5, checkpoints/, manifest.json, log.txt, mllog.txt, and the lock that keeps a
// second job out.

#include <string>
#include <string_view>

#include "io/file_lock.hpp"

namespace tenfold {

/// Held by rank 0 from start-up to the end of the run.
class RunFolder {
 public:
  /// Makes the folder where it is missing and takes the lock. InputError if the folder cannot be written, or if another
  /// job holds it (the message says which).
  explicit RunFolder(const std::string& folder);
  RunFolder(const RunFolder&) = delete;
  RunFolder& operator=(const RunFolder&) = delete;
  ~RunFolder();

  /// Does the folder hold what a run writes?
  bool holds_run() const;
  /// InputError, with ways out, if the folder holds a run already.
  void expect_new() const;

  std::string checkpoints() const { return folder_ + "/checkpoints"; }
  std::string trace() const { return folder_ + "/trace.h5"; }
  std::string manifest() const { return folder_ + "/manifest.json"; }
  std::string log() const { return folder_ + "/log.txt"; }
  std::string mllog() const { return folder_ + "/mllog.txt"; }

 private:
  std::string folder_;
  FileLock lock_;
};

/// A text file that grows a line at a time.
class LogFile {
 public:
  explicit LogFile(const std::string& path);
  void line(std::string_view line);

 private:
  detail::Descriptor file_;
};

}  // namespace tenfold

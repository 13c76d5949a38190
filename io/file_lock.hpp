#pragma once
// Keeps other jobs out of a file while it is written.

#include <string>
#include <string_view>

#include "io/posix.hpp"

namespace tenfold {

/// A lock on an open file description (F_OFD_SETLK), so it is gone when its holder is, however that ended.
class FileLock {
 public:
  /// Opens the file, which is made where it is missing, and tries to lock it. InputError if that cannot be done; that
  /// someone else has the lock is no error.
  explicit FileLock(const std::string& path);

  bool held() const { return held_; }
  const std::string& path() const { return file_.path(); }
  /// Puts `words` in the file's place, on the disk.
  void replace_content(std::string_view words);

 private:
  detail::Descriptor file_;
  bool held_;
};

}  // namespace tenfold

#pragma once
// Keeps other jobs out of a file while it is written.

#include <string>
#include <string_view>

#include "io/posix.hpp"

namespace tenfold {

/// A lock on an open file description (F_OFD_SETLK), so it is gone when its holder is, however that ended. Where the
/// file system has no such locks (Lustre without the mount option flock), a file PATH.exclusive stands for it, which
/// only its holder removes: what a killed holder leaves must be removed by hand.
class FileLock {
 public:
  /// Opens the file, which is made where it is missing, and tries to lock it. InputError if that cannot be done; that
  /// someone else has the lock is no error.
  explicit FileLock(const std::string& path);
  FileLock(const FileLock&) = delete;
  FileLock& operator=(const FileLock&) = delete;
  ~FileLock();

  bool held() const { return held_; }
  const std::string& path() const { return file_.path(); }
  /// What may have to be done by hand before the lock can be had, in words; empty where the kernel sees to it.
  std::string remedy() const;
  /// Puts `words` in the file's place, on the disk.
  void replace_content(std::string_view words);

 private:
  bool take();
  std::string exclusive() const { return path() + ".exclusive"; }

  detail::Descriptor file_;
  bool by_kernel_ = true;
  bool held_;
};

}  // namespace tenfold

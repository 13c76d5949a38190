#pragma once
// POSIX files with every return code read.

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/progress.hpp"

namespace tenfold::detail {

/// An open file, closed on destruction. Failures throw Error "PATH: cannot ACTION: reason".
class Descriptor {
 public:
  Descriptor(const std::string& path, int flags);
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor();

  int get() const { return descriptor_; }
  const std::string& path() const { return path_; }
  std::uint64_t length() const;
  /// All of the bytes, at an offset; a file that ends too early is an Error.
  void read_at(std::span<std::byte> bytes, std::uint64_t offset) const;
  void write_at(std::span<const std::byte> bytes, std::uint64_t offset);
  /// All of the bytes, where the file stands (its end, when it was opened with O_APPEND).
  void write(std::string_view bytes);
  /// Makes sure that the disk has room for `length` bytes from `offset` on, none of which was written yet, in steps
  /// with a tick each. Where the file system cannot (NFS before 4.2, older Lustre) zeros are written.
  void reserve(std::uint64_t offset, std::uint64_t length, Progress& progress);
  /// Until the bytes are on the disk.
  void sync();
  /// Asks the kernel to forget what it holds of the file, so that the next read comes from the disk.
  void forget_cache() const;

 private:
  void write_zeros(std::uint64_t offset, std::uint64_t length, Progress& progress);
  std::string path_;
  int descriptor_;
};

/// Throws Error "PATH: cannot ACTION: reason" from errno.
[[noreturn]] void throw_errno(const std::string& path, const char* action);

/// Until the entries of a folder are on the disk.
void sync_folder(const std::string& folder);

/// What the name of a file that is being written ends with.
inline constexpr const char* unfinished = ".part";

/// Gives a file another name, replacing what had it, and syncs the folder it lies in.
void rename_file(const std::string& from, const std::string& to);

/// Puts the text under a temporary name beside `path`, syncs it and renames it: readers see the old text or the new.
void replace_file(const std::string& path, std::string_view contents);

std::string read_file(const std::string& path);

}  // namespace tenfold::detail

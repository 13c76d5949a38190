#include "io/posix.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <vector>

#include "base/check.hpp"

namespace tenfold::detail {

void throw_errno(const std::string& path, const char* action) {
  throw Error(text(path, ": cannot ", action, ": ", std::strerror(errno)));
}

namespace {

constexpr mode_t new_file_mode = 0666;

/// Moves all bytes with a call that may be interrupted or move only a part: move(done) -> bytes moved now, 0 at the
/// end.
template <class Move>
void move_all(std::size_t bytes, const std::string& path, const char* action, Move move) {
  for (std::size_t done = 0; done < bytes;) {
    const ssize_t moved = move(done);
    if (moved < 0 && errno == EINTR) continue;
    if (moved < 0) throw_errno(path, action);
    if (moved == 0) throw Error(text(path, ": cannot ", action, ": the file ends too early"));
    done += static_cast<std::size_t>(moved);
  }
}

}  // namespace

Descriptor::Descriptor(const std::string& path, int flags)
    : path_(path), descriptor_(::open(path.c_str(), flags | O_CLOEXEC, new_file_mode)) {
  if (descriptor_ < 0) throw_errno(path, "open the file");
}

Descriptor::~Descriptor() {
  // A failing close of a file that was written loses nothing that sync() had not already secured.
  if (descriptor_ >= 0) ::close(descriptor_);
}

std::uint64_t Descriptor::length() const {
  struct stat status {};
  if (::fstat(descriptor_, &status) != 0) throw_errno(path_, "read the length");
  return static_cast<std::uint64_t>(status.st_size);
}

void Descriptor::read_at(std::span<std::byte> bytes, std::uint64_t offset) const {
  move_all(bytes.size(), path_, "read", [&](std::size_t done) {
    return ::pread(descriptor_, bytes.data() + done, bytes.size() - done, static_cast<off_t>(offset + done));
  });
}

void Descriptor::write_at(std::span<const std::byte> bytes, std::uint64_t offset) {
  move_all(bytes.size(), path_, "write", [&](std::size_t done) {
    return ::pwrite(descriptor_, bytes.data() + done, bytes.size() - done, static_cast<off_t>(offset + done));
  });
}

void Descriptor::write(std::string_view bytes) {
  move_all(bytes.size(), path_, "write",
           [&](std::size_t done) { return ::write(descriptor_, bytes.data() + done, bytes.size() - done); });
}

void Descriptor::reserve(std::uint64_t offset, std::uint64_t length, Progress& progress) {
  constexpr std::uint64_t step = 256 << 20;  // a moment's work where blocks are only booked
  for (const std::uint64_t end = offset + length; offset < end;) {
    const std::uint64_t count = std::min(step, end - offset);
    if (::fallocate(descriptor_, 0, static_cast<off_t>(offset), static_cast<off_t>(count)) == 0) {
      offset += count;
    } else if (errno == EOPNOTSUPP || errno == ENOSYS) {
      write_zeros(offset, end - offset, progress);
      return;
    } else if (errno != EINTR) {
      throw Error(text(path_, ": cannot reserve ", count, " bytes: ", std::strerror(errno)));
    }
    progress.tick();
  }
}

void Descriptor::write_zeros(std::uint64_t offset, std::uint64_t length, Progress& progress) {
  const std::vector<std::byte> zeros(std::min<std::uint64_t>(1 << 20, length));
  for (const std::uint64_t end = offset + length; offset < end; offset += zeros.size()) {
    write_at(std::span(zeros).first(std::min<std::uint64_t>(zeros.size(), end - offset)), offset);
    progress.tick();
  }
}

void Descriptor::sync() {
  if (::fsync(descriptor_) != 0) throw_errno(path_, "bring the file to the disk");
}

void Descriptor::forget_cache() const {
  const int code = ::posix_fadvise(descriptor_, 0, 0, POSIX_FADV_DONTNEED);
  if (code != 0) throw Error(text(path_, ": cannot drop cached pages: ", std::strerror(code)));
}

void sync_folder(const std::string& folder) {
  Descriptor(folder, O_RDONLY | O_DIRECTORY).sync();
}

void rename_file(const std::string& from, const std::string& to) {
  if (::rename(from.c_str(), to.c_str()) != 0) throw_errno(from, "rename the file");
  const std::filesystem::path folder = std::filesystem::path(to).parent_path();
  sync_folder(folder.empty() ? "." : folder.string());
}

void replace_file(const std::string& path, std::string_view contents) {
  const std::string temporary = path + unfinished;
  {
    Descriptor file(temporary, O_WRONLY | O_CREAT | O_TRUNC);
    file.write(contents);
    file.sync();
  }
  rename_file(temporary, path);
}

std::string read_file(const std::string& path) {
  const Descriptor file(path, O_RDONLY);
  std::string contents(file.length(), '\0');
  file.read_at(std::as_writable_bytes(std::span(contents)), 0);
  return contents;
}

}  // namespace tenfold::detail

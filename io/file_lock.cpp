#include "io/file_lock.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <span>

#include "base/check.hpp"

namespace tenfold {

namespace {

detail::Descriptor open_or_make(const std::string& path) {
  try {
    return {path, O_RDWR | O_CREAT};
  } catch (const Error& error) {
    throw InputError(error.what());
  }
}

/// False if someone else holds the lock.
bool take(const detail::Descriptor& file) {
  struct flock whole {};
  whole.l_type = F_WRLCK;
  whole.l_whence = SEEK_SET;
  if (::fcntl(file.get(), F_OFD_SETLK, &whole) == 0) return true;
  if (errno != EAGAIN && errno != EACCES)
    throw InputError(text(file.path(), " cannot be locked: ", std::strerror(errno)));
  return false;
}

}  // namespace

FileLock::FileLock(const std::string& path) : file_(open_or_make(path)), held_(take(file_)) {}

void FileLock::replace_content(std::string_view words) {
  if (::ftruncate(file_.get(), 0) != 0) detail::throw_errno(path(), "empty the file");
  file_.write_at(std::as_bytes(std::span(words)), 0);
  file_.sync();
}

}  // namespace tenfold

#include "io/file_lock.hpp"

#include <fcntl.h>
#include <sys/stat.h>
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

}  // namespace

FileLock::FileLock(const std::string& path) : file_(open_or_make(path)), held_(take()) {}

FileLock::~FileLock() {
  if (held_ && !by_kernel_) ::unlink(exclusive().c_str());
}

/// False if someone else holds the lock.
bool FileLock::take() {
  struct flock whole {};
  whole.l_type = F_WRLCK;
  whole.l_whence = SEEK_SET;
  if (::fcntl(file_.get(), F_OFD_SETLK, &whole) == 0) return true;
  if (errno == EAGAIN || errno == EACCES) return false;
  by_kernel_ = errno != ENOLCK && errno != ENOSYS && errno != EOPNOTSUPP;
  if (by_kernel_) throw InputError(text(path(), " cannot be locked: ", std::strerror(errno)));
  const int made = ::open(exclusive().c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, S_IRUSR | S_IWUSR);
  if (made >= 0) return ::close(made) == 0;
  if (errno != EEXIST) throw InputError(text(exclusive(), " cannot be made: ", std::strerror(errno)));
  return false;
}

std::string FileLock::remedy() const {
  if (by_kernel_) return "";
  return text(
      "; this file system has no locks that end with their holder (Lustre: mount option flock), so if that job "
      "is gone, remove ",
      exclusive());
}

void FileLock::replace_content(std::string_view words) {
  if (::ftruncate(file_.get(), 0) != 0) detail::throw_errno(path(), "empty the file");
  file_.write_at(std::as_bytes(std::span(words)), 0);
  file_.sync();
}

}  // namespace tenfold

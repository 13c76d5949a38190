#include "io/run_folder.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "base/check.hpp"
#include "base/host.hpp"
#include "io/detail/job.hpp"

namespace tenfold {

namespace {

detail::Descriptor open_lock(const std::string& folder) {
  std::error_code failure;
  std::filesystem::create_directories(folder, failure);
  if (failure) throw InputError(text("run.folder: cannot make ", folder, ": ", failure.message()));
  try {
    return {folder + "/lock", O_RDWR | O_CREAT};
  } catch (const Error& error) {
    throw InputError(text("run.folder cannot be written: ", error.what()));
  }
}

/// False if someone else holds the lock.
bool take(const detail::Descriptor& file) {
  struct flock whole {};
  whole.l_type = F_WRLCK;
  whole.l_whence = SEEK_SET;
  if (::fcntl(file.get(), F_OFD_SETLK, &whole) == 0) return true;
  if (errno != EAGAIN && errno != EACCES) {
    throw InputError(text("run.folder: ", file.path(), " cannot be locked: ", std::strerror(errno)));
  }
  return false;
}

}  // namespace

RunFolder::RunFolder(const std::string& folder) : folder_(folder), lock_(open_lock(folder)) {
  if (!take(lock_)) {
    std::string holder = detail::read_file(lock_.path());
    while (!holder.empty() && holder.back() == '\n') holder.pop_back();
    throw InputError(text("run.folder ", folder, " is in use by another job (", holder.empty() ? "starting" : holder,
                          "); wait for it to end or choose another folder"));
  }
  try {
    if (::ftruncate(lock_.get(), 0) != 0) detail::throw_errno(lock_.path(), "empty the lock");
    lock_.write(text("host ", host_name(), ", pid ", ::getpid(), ", job ", detail::job_id(), "\n"));
    lock_.sync();
  } catch (const Error& error) {
    throw InputError(text("run.folder cannot be written: ", error.what()));
  }
}

RunFolder::~RunFolder() {
  // An empty lock says that no one holds it; if this fails the lock is gone all the same.
  [[maybe_unused]] const int code = ::ftruncate(lock_.get(), 0);
}

bool RunFolder::holds_run() const {
  for (const std::string& file : {trace(), manifest(), log()}) {
    if (std::filesystem::exists(file)) return true;
  }
  return std::filesystem::exists(checkpoints()) && !std::filesystem::is_empty(checkpoints());
}

void RunFolder::expect_new() const {
  if (!holds_run()) return;
  throw InputError(text("run.folder ", folder_,
                        " already holds a run; continue it with --run.resume=auto or choose another folder"));
}

LogFile::LogFile(const std::string& path) : file_(path, O_WRONLY | O_CREAT | O_APPEND) {}

void LogFile::line(std::string_view line) {
  std::string whole(line);
  whole += '\n';
  file_.write(whole);
}

}  // namespace tenfold

#include "io/run_folder.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <filesystem>

#include "base/check.hpp"
#include "base/host.hpp"
#include "io/detail/job.hpp"

namespace tenfold {

namespace {

FileLock lock_in(const std::string& folder) {
  std::error_code failure;
  std::filesystem::create_directories(folder, failure);
  if (failure) throw InputError(text("run.folder: cannot make ", folder, ": ", failure.message()));
  try {
    return FileLock(folder + "/lock");
  } catch (const InputError& error) {
    throw InputError(text("run.folder cannot be used: ", error.what()));
  }
}

}  // namespace

RunFolder::RunFolder(const std::string& folder) : folder_(folder), lock_(lock_in(folder)) {
  if (!lock_.held()) {
    std::string holder = detail::read_file(lock_.path());
    while (!holder.empty() && holder.back() == '\n') holder.pop_back();
    throw InputError(text("run.folder ", folder, " is in use by another job (", holder.empty() ? "starting" : holder,
                          "); wait for it to end or choose another folder", lock_.remedy()));
  }
  try {
    lock_.replace_content(text("host ", host_name(), ", pid ", ::getpid(), ", job ", detail::job_id(), "\n"));
  } catch (const Error& error) {
    throw InputError(text("run.folder cannot be written: ", error.what()));
  }
}

RunFolder::~RunFolder() {
  try {
    lock_.replace_content("");  // an empty lock says that no one holds it
  } catch (const Error&) {      // the lock is gone all the same
  }
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

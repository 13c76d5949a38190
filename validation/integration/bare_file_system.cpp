// Preloaded into a program, makes every file system one that can neither reserve space nor lock files, and counts what
// the program reads of checkpoints: at its end the number of bytes goes into the file $BYTES_READ/PID. For
// storage_test.

#include <dlfcn.h>
#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstdarg>
#include <cstdlib>
#include <fstream>
#include <string>

namespace {

std::atomic<long long> bytes_read{0};

template <class Function>
Function next(const char* name) {
  return reinterpret_cast<Function>(dlsym(RTLD_NEXT, name));
}

bool is_checkpoint(int file) {
  std::array<char, 4096> path{};
  const std::string link = "/proc/self/fd/" + std::to_string(file);
  const ssize_t length = readlink(link.c_str(), path.data(), path.size() - 1);
  return length > 0 && std::string(path.data()).find("/checkpoints/step-") != std::string::npos;
}

ssize_t counted(int file, ssize_t bytes) {
  const int code = errno;
  if (bytes > 0 && is_checkpoint(file)) bytes_read += bytes;
  errno = code;
  return bytes;
}

int control(const char* name, int file, int command, void* argument) {
  if (command == F_OFD_SETLK) {
    errno = ENOLCK;
    return -1;
  }
  return next<int (*)(int, int, ...)>(name)(file, command, argument);
}

struct Report {
  ~Report() {
    if (const char* folder = std::getenv("BYTES_READ"))
      std::ofstream(std::string(folder) + "/" + std::to_string(getpid())) << bytes_read << '\n';
  }
};
const Report report;

}  // namespace

extern "C" {

int fallocate(int, int, off_t, off_t) {
  errno = EOPNOTSUPP;
  return -1;
}
int fallocate64(int, int, off64_t, off64_t) {
  errno = EOPNOTSUPP;
  return -1;
}

int fcntl(int file, int command, ...) {
  va_list rest;
  va_start(rest, command);
  void* argument = va_arg(rest, void*);
  va_end(rest);
  return control("fcntl", file, command, argument);
}
int fcntl64(int file, int command, ...) {
  va_list rest;
  va_start(rest, command);
  void* argument = va_arg(rest, void*);
  va_end(rest);
  return control("fcntl64", file, command, argument);
}

ssize_t read(int file, void* bytes, size_t count) {
  static const auto call = next<ssize_t (*)(int, void*, size_t)>("read");
  return counted(file, call(file, bytes, count));
}
ssize_t pread(int file, void* bytes, size_t count, off_t offset) {
  static const auto call = next<ssize_t (*)(int, void*, size_t, off_t)>("pread");
  return counted(file, call(file, bytes, count, offset));
}
ssize_t pread64(int file, void* bytes, size_t count, off64_t offset) {
  static const auto call = next<ssize_t (*)(int, void*, size_t, off64_t)>("pread64");
  return counted(file, call(file, bytes, count, offset));
}
}

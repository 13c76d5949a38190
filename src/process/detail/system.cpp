#include "process/detail/system.hpp"

#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string_view>

#include "base/check.hpp"

namespace tenfold::detail {

void check_system(int status, const std::string& call) {
  if (status == -1) throw Error(text(call, ": ", std::strerror(errno)));
}

CpuSet affinity() {
  std::vector<cpu_set_t> mask(1);
  // The kernel refuses a mask shorter than its own, with EINVAL.
  while (sched_getaffinity(0, mask.size() * sizeof(cpu_set_t), mask.data()) != 0) {
    TENFOLD_VERIFY(errno == EINVAL && mask.size() < 1024, "affinity mask: ", std::strerror(errno));
    mask.resize(2 * mask.size());
  }
  CpuSet cpus;
  const std::size_t bytes = mask.size() * sizeof(cpu_set_t);
  for (std::size_t cpu = 0; cpu < 8 * bytes; ++cpu)
    if (CPU_ISSET_S(cpu, bytes, mask.data())) cpus.push_back(static_cast<int>(cpu));
  return cpus;
}

char process_state(int pid) {
  std::array<char, 64> path{};
  std::snprintf(path.data(), path.size(), "/proc/%d/stat", pid);
  const int file = open(path.data(), O_RDONLY | O_CLOEXEC);
  if (file < 0) {
    TENFOLD_VERIFY(errno == ENOENT || errno == ESRCH, path.data(), ": ", std::strerror(errno));
    return 0;
  }
  std::array<char, 512> stat{};
  const ssize_t length = read(file, stat.data(), stat.size());
  const int failure = errno;
  close(file);
  if (length <= 0) {
    TENFOLD_VERIFY(length == 0 || failure == ESRCH, path.data(), ": ", std::strerror(failure));
    return 0;
  }
  // "pid (command) state ...", where the command may hold anything.
  const std::string_view line(stat.data(), static_cast<std::size_t>(length));
  const std::size_t end = line.rfind(") ");
  TENFOLD_VERIFY(end != std::string_view::npos && end + 2 < line.size(), path.data(), " reads ", line);
  const char state = line[end + 2];
  return state == 'Z' || state == 'X' || state == 'x' ? '\0' : state;
}

void write_error(const std::string& text) noexcept {
  std::size_t written = 0;
  while (written < text.size()) {
    const ssize_t count = write(STDERR_FILENO, text.data() + written, text.size() - written);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return;  // nobody is left to be told
    written += static_cast<std::size_t>(count);
  }
}

}  // namespace tenfold::detail

#include "training/memory.hpp"

#include <fstream>
#include <string>

#include "base/check.hpp"

namespace tenfold {

namespace {

std::size_t status_bytes(const std::string& field) {
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;) {
    std::size_t kibibytes = 0;
    if (word == field && status >> kibibytes) return kibibytes * 1024;
  }
  throw Error(text("/proc/self/status has no ", field));
}

}  // namespace

std::size_t resident_bytes() {
  return status_bytes("VmRSS:");
}

void reset_peak_resident_bytes() {
  std::ofstream("/proc/self/clear_refs") << 5;
}

std::size_t peak_resident_bytes() {
  return status_bytes("VmHWM:");
}

}  // namespace tenfold

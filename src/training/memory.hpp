#pragma once
// Memory of this process, from /proc/self/status.

#include <cstddef>

namespace tenfold {

std::size_t resident_bytes();       ///< VmRSS: now
std::size_t peak_resident_bytes();  ///< VmHWM: the most so far

}  // namespace tenfold

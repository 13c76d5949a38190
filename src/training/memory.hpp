#pragma once
// Memory of this process, from /proc/self/status.

#include <cstddef>

namespace tenfold {

std::size_t resident_bytes();       ///< VmRSS: now
std::size_t peak_resident_bytes();  ///< VmHWM: the most since the start or the last reset
void reset_peak_resident_bytes();   ///< to what is resident now; where the kernel refuses, the old peak stays

}  // namespace tenfold

#pragma once
// What this room asks of the operating system.

#include <string>

#include "process/host_table.hpp"

namespace tenfold::detail {

/// Throws Error with the call's name and the system's words for errno when `status` is -1. In a destructor that ends
/// the process, as a broken handle should.
void check_system(int status, const std::string& call);

/// The processors this process may run on.
CpuSet affinity();

/// State letter of a process as in /proc/PID/stat (R, S, D, T stopped, ...); 0 when it is gone or a zombie.
char process_state(int pid);

/// Writes the text to standard error in one piece where the system allows. Touches no lock of the C library, so that it
/// works whatever the other threads were doing.
void write_error(const std::string& text) noexcept;

}  // namespace tenfold::detail

#pragma once
// The machine this process runs on.

#include <string>

namespace tenfold {

std::string host_name();

}  // namespace tenfold

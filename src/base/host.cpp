#include "base/host.hpp"

#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "base/check.hpp"

namespace tenfold {

std::string host_name() {
  std::array<char, 256> name{};
  TENFOLD_VERIFY(::gethostname(name.data(), name.size() - 1) == 0, "gethostname: ", std::strerror(errno));
  return name.data();
}

}  // namespace tenfold

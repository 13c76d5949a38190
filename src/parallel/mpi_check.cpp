#include "parallel/mpi_check.hpp"

#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "base/check.hpp"
#include "base/host.hpp"

namespace tenfold::detail {

namespace {

std::string describe(int status, const char* call) {
  std::array<char, MPI_MAX_ERROR_STRING> words{};
  int length = 0;
  if (MPI_Error_string(status, words.data(), &length) != MPI_SUCCESS) length = 0;
  const std::string name(call);
  return text(name.substr(0, name.find('(')), " failed with status ", status, ": ",
              std::string(words.data(), static_cast<std::size_t>(length)));
}

}  // namespace

void check_mpi(int status, const char* call, SourcePlace place) {
  if (status != MPI_SUCCESS) throw Error(describe(status, call), ExitCode::failure, place);
}

void release_mpi(int status, const char* call, SourcePlace place) noexcept {
  if (status == MPI_SUCCESS) return;
  const std::string line = text("tenfold: error (host ", host_name(), ", pid ", getpid(), "): ", describe(status, call),
                                " [", place.file_name(), ":", place.line(), "]\n");
  std::fputs(line.c_str(), stderr);
  std::_Exit(static_cast<int>(ExitCode::failure));
}

}  // namespace tenfold::detail

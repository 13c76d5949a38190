#include "parallel/mpi_check.hpp"

#include <array>
#include <string>

#include "base/check.hpp"

namespace tenfold::detail {

void check_mpi(int status, const char* call, SourcePlace place) {
  if (status == MPI_SUCCESS) return;
  std::array<char, MPI_MAX_ERROR_STRING> words{};
  int length = 0;
  if (MPI_Error_string(status, words.data(), &length) != MPI_SUCCESS) length = 0;
  const std::string name(call);
  throw Error(text(name.substr(0, name.find('(')), " failed with status ", status, ": ",
                   std::string(words.data(), static_cast<std::size_t>(length))),
              ExitCode::failure, place);
}

}  // namespace tenfold::detail

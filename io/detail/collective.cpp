#include "io/detail/collective.hpp"

#include <string>

#include "base/check.hpp"

namespace tenfold::detail {

void check_mpi(int code, const char* call) {
  if (code == MPI_SUCCESS) return;
  std::string reason(MPI_MAX_ERROR_STRING, '\0');
  int length = 0;
  if (MPI_Error_string(code, reason.data(), &length) != MPI_SUCCESS) length = 0;
  reason.resize(static_cast<std::size_t>(length));
  throw Error(text(call, " failed: ", reason));
}

int rank_of(MPI_Comm communicator) {
  int rank = 0;
  check_mpi(MPI_Comm_rank(communicator, &rank), "MPI_Comm_rank");
  return rank;
}

int size_of(MPI_Comm communicator) {
  int size = 0;
  check_mpi(MPI_Comm_size(communicator, &size), "MPI_Comm_size");
  return size;
}

namespace {

struct Outcome {
  bool failed = false;
  int code = 0;
  std::string message;
};

Outcome outcome_of(const std::function<void()>& work) {
  try {
    work();
    return {};
  } catch (const Error& error) {
    return {true, static_cast<int>(error.code()), error.what()};
  } catch (const std::exception& error) {
    return {true, static_cast<int>(ExitCode::failure), error.what()};
  }
}

}  // namespace

void agree(MPI_Comm communicator, const std::function<void()>& work) {
  Outcome outcome = outcome_of(work);
  const int size = size_of(communicator);
  const int mine = outcome.failed ? rank_of(communicator) : size;
  int first = size;
  check_mpi(MPI_Allreduce(&mine, &first, 1, MPI_INT, MPI_MIN, communicator), "MPI_Allreduce");
  if (first == size) return;
  int header[2] = {outcome.code, static_cast<int>(outcome.message.size())};
  check_mpi(MPI_Bcast(header, 2, MPI_INT, first, communicator), "MPI_Bcast");
  outcome.message.resize(static_cast<std::size_t>(header[1]));
  check_mpi(MPI_Bcast(outcome.message.data(), header[1], MPI_CHAR, first, communicator), "MPI_Bcast");
  const auto code = static_cast<ExitCode>(header[0]);
  if (code == ExitCode::bad_input) throw InputError(outcome.message);
  throw Error(size == 1 ? outcome.message : text(outcome.message, " [on rank ", first, "]"), code);
}

void agree_on_root(MPI_Comm communicator, const std::function<void()>& work) {
  const bool root = rank_of(communicator) == 0;
  agree(communicator, [&] {
    if (root) work();
  });
}

}  // namespace tenfold::detail

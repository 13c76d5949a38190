#include "process/runtime.hpp"

#include <array>
#include <chrono>
#include <cstdlib>
#include <thread>

#include "base/host.hpp"
#include "parallel/agree.hpp"
#include "parallel/mpi_check.hpp"
#include "process/detail/launcher.hpp"
#include "process/detail/system.hpp"

namespace tenfold {

namespace {

/// How long a rank whose input was refused waits for others.
constexpr std::chrono::seconds farewell_time{2};

MPI_Comm start_mpi(int& argc, char**& argv) {
  int provided = 0;
  TENFOLD_MPI(MPI_Init_thread(&argc, &argv, MPI_THREAD_FUNNELED, &provided));
  TENFOLD_MPI(MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN));
  TENFOLD_VERIFY(provided >= MPI_THREAD_FUNNELED, "this MPI gives thread level ", provided,
                 " where MPI_THREAD_FUNNELED is needed");
  return MPI_COMM_WORLD;
}

}  // namespace

Runtime::Runtime(int& argc, char**& argv, Signals& signals) : signals_(signals), host_(host_name()) {
  const MPI_Comm all = start_mpi(argc, argv);
  world_ = std::make_unique<MpiCommunicator>(all, progress_);
  farewell_ = std::make_unique<MpiCommunicator>(all, progress_);
}

Runtime::~Runtime() {
  farewell_.reset();
  world_.reset();
  TENFOLD_MPI_RELEASE(MPI_Finalize());
}

std::string Runtime::mpi_version() {
  std::array<char, MPI_MAX_LIBRARY_VERSION_STRING> words{};
  int length = 0;
  TENFOLD_MPI(MPI_Get_library_version(words.data(), &length));
  const std::string version(words.data());  // Open MPI counts the terminating zero into the length
  return version.substr(0, version.find('\n'));
}

bool Runtime::is_stray() const {
  const detail::Launch launch = detail::find_launch();
  const std::string version = mpi_version();
  const std::string refusal = detail::describe_stray(launch, world_->size(), version.substr(0, version.find(',')));
  if (refusal.empty()) return false;
  if (launch.task == 0)
    detail::write_error(text("tenfold: error: ", refusal, "\n"));
  else
    std::this_thread::sleep_for(
        farewell_time);  // the end of one task may be the end of all, before the first has spoken
  return true;
}

bool Runtime::all_fail_alike(const std::string& message) {
  const auto hash = static_cast<std::int64_t>(std::hash<std::string>{}(message) >> 1U);
  farewell_words_ = {hash, -hash};
  MPI_Request request = MPI_REQUEST_NULL;
  TENFOLD_MPI(
      MPI_Iallreduce(MPI_IN_PLACE, farewell_words_.data(), 2, MPI_INT64_T, MPI_MIN, farewell_->native(), &request));
  const auto deadline = std::chrono::steady_clock::now() + farewell_time;
  int complete = 0;
  while (complete == 0 && std::chrono::steady_clock::now() < deadline) {
    TENFOLD_MPI(MPI_Test(&request, &complete, MPI_STATUS_IGNORE));
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return complete != 0 && farewell_words_[0] == -farewell_words_[1];
}

void Runtime::print(const Error& error, int rank, const std::string& host, const std::string& source) const {
  const bool bad_input = error.code() == ExitCode::bad_input;
  std::string line = "tenfold: error";
  if (!bad_input || rank != 0) line += text(" on rank ", rank, " of ", world_->size(), " (host ", host, ")");
  line += text(": ", error.what());
  if (!bad_input)
    line += text(" [", source, source.empty() ? "" : ", ", "in ", progress_.current_region(), ", step ",
                 progress_.current_step(), "]");
  detail::write_error(line + "\n");
}

ExitCode Runtime::report(const std::exception_ptr& failure) {
  const auto source_of = [](const Error& error) { return text(error.place().file_name(), ":", error.place().line()); };
  bool common = false;
  ExitCode code = ExitCode::failure;
  try {
    std::rethrow_exception(failure);
  } catch (const AgreedError& error) {
    code = error.code();
    common = error.group() == world_->size();
    if (!common || world_->rank() == 0) print(error, error.rank(), error.host(), error.source());
  } catch (const InputError& error) {
    code = error.code();
    common = all_fail_alike(error.what());
    if (!common || world_->rank() == 0) print(error, world_->rank(), host_, source_of(error));
  } catch (const Error& error) {
    code = error.code();
    print(error, world_->rank(), host_, source_of(error));
  } catch (const std::exception& error) {
    print(Error(error.what()), world_->rank(), host_, "");
  } catch (...) {
    print(Error("an exception of unknown type"), world_->rank(), host_, "");
  }
  if (common) return code;
  MPI_Abort(MPI_COMM_WORLD, static_cast<int>(code));
  std::_Exit(static_cast<int>(code));  // where an MPI returns from that
}

int run_application(int argc, char** argv, Signals& signals, const std::function<ExitCode(Runtime&)>& application) {
  Runtime runtime(argc, argv, signals);
  std::exception_ptr failure;
  try {
    if (runtime.is_stray()) return static_cast<int>(ExitCode::bad_input);
    return static_cast<int>(application(runtime));
  } catch (...) {
    failure = std::current_exception();
  }
  return static_cast<int>(runtime.report(failure));
}

}  // namespace tenfold

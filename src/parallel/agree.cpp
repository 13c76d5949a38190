#include "parallel/agree.hpp"

#include "base/host.hpp"
#include "parallel/detail/system.hpp"

namespace tenfold::detail {

namespace {

struct Failure {
  ExitCode code = ExitCode::failure;
  std::string message;
  std::string source;
};

Failure describe(const std::exception_ptr& failure) {
  try {
    std::rethrow_exception(failure);
  } catch (const Error& error) {
    return {error.code(), error.what(), text(error.place().file_name(), ":", error.place().line())};
  } catch (const std::exception& error) {
    return {ExitCode::failure, error.what(), ""};
  } catch (...) {
    return {ExitCode::failure, "an exception of unknown type", ""};
  }
}

}  // namespace

void settle(Communicator& communicator, const std::exception_ptr& failure) {
  const std::int64_t none = communicator.size();
  const std::int64_t first = communicator.all_reduce_min(failure ? std::int64_t{communicator.rank()} : none);
  if (first == none) return;
  const int root = static_cast<int>(first);
  Failure common;
  std::string host;
  if (root == communicator.rank()) {
    common = describe(failure);
    host = host_name();
  }
  int code = static_cast<int>(common.code);
  communicator.broadcast(std::span(&code, 1), root);
  communicator.broadcast(common.message, root);
  communicator.broadcast(common.source, root);
  communicator.broadcast(host, root);
  throw AgreedError(common.message, static_cast<ExitCode>(code), root, communicator.size(), host, common.source);
}

}  // namespace tenfold::detail

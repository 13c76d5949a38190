#pragma once
// Agreed outcomes: after a local operation that can fail, all ranks learn whether it failed anywhere, so that no one
// waits in a collective for a rank that has left.

#include <exception>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>

#include "base/check.hpp"
#include "parallel/communicator.hpp"

namespace tenfold {

/// Thrown by every rank of a communicator with the same content.
class AgreedError : public Error {
 public:
  /// `rank` is the lowest failing rank, `group` the number of ranks that agreed; `source` is "file:line" or empty.
  AgreedError(const std::string& what, ExitCode code, int rank, int group, std::string host, std::string source)
      : Error(what, code), host_(std::move(host)), source_(std::move(source)), rank_(rank), group_(group) {}

  int rank() const noexcept { return rank_; }
  int group() const noexcept { return group_; }
  const std::string& host() const noexcept { return host_; }
  const std::string& source() const noexcept { return source_; }

 private:
  std::string host_;
  std::string source_;
  int rank_;
  int group_;
};

namespace detail {
/// Collective: throws AgreedError on every rank if `failure` is set on any.
void settle(Communicator& communicator, const std::exception_ptr& failure);
}  // namespace detail

/// Runs `operation` (local, or collective and failing on all ranks alike) on every rank and returns its result; when it
/// threw on any rank, every rank throws AgreedError with the exit code and message of the lowest such rank. Collective.
template <class Operation>
auto agree(Communicator& communicator, Operation&& operation) -> std::invoke_result_t<Operation> {
  std::exception_ptr failure;
  if constexpr (std::is_void_v<std::invoke_result_t<Operation>>) {
    try {
      std::forward<Operation>(operation)();
    } catch (...) {
      failure = std::current_exception();
    }
    detail::settle(communicator, failure);
  } else {
    std::optional<std::invoke_result_t<Operation>> result;
    try {
      result.emplace(std::forward<Operation>(operation)());
    } catch (...) {
      failure = std::current_exception();
    }
    detail::settle(communicator, failure);
    return std::move(*result);
  }
}

/// The same for an operation of rank 0 alone.
template <class Operation>
void agree_on_root(Communicator& communicator, const Operation& operation) {
  agree(communicator, [&] {
    if (communicator.rank() == 0) operation();
  });
}

}  // namespace tenfold

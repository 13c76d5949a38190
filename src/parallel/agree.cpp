#include "parallel/agree.hpp"

#include <array>

#include "base/host.hpp"

namespace tenfold::detail {

namespace {

AgreedError describe(const std::exception_ptr& failure, const Communicator& communicator) {
  const auto here = [&](const char* message, ExitCode code, const std::string& source) {
    return AgreedError(message, code, communicator.rank(), communicator.size(), host_name(), source);
  };
  try {
    std::rethrow_exception(failure);
  } catch (const AgreedError& error) {
    return error;  // agreed on within the operation: it keeps the rank and place where it began
  } catch (const Error& error) {
    return here(error.what(), error.code(), text(error.place().file_name(), ":", error.place().line()));
  } catch (const std::exception& error) {
    return here(error.what(), ExitCode::failure, "");
  } catch (...) {
    return here("an exception of unknown type", ExitCode::failure, "");
  }
}

}  // namespace

void settle(Communicator& communicator, const std::exception_ptr& failure) {
  const std::int64_t none = communicator.size();
  const std::int64_t first = communicator.all_reduce_min(failure ? std::int64_t{communicator.rank()} : none);
  if (first == none) return;
  const int root = static_cast<int>(first);
  std::array<std::string, 3> words;  // message, host, source
  std::array<int, 2> numbers{};      // code, rank
  if (root == communicator.rank()) {
    const AgreedError error = describe(failure, communicator);
    words = {error.what(), error.host(), error.source()};
    numbers = {static_cast<int>(error.code()), error.rank()};
  }
  for (std::string& each : words) communicator.broadcast(each, root);
  communicator.broadcast(std::span<int>(numbers), root);
  const auto& [message, host, source] = words;
  const auto [code, rank] = numbers;
  throw AgreedError(message, static_cast<ExitCode>(code), rank, communicator.size(), host, source);
}

}  // namespace tenfold::detail

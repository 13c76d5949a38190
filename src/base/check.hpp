#pragma once
// Errors and checks. An error carries its place in the source; the one catch in main prints it with rank and host.

#include <sstream>
#include <stdexcept>
#include <string>

namespace tenfold {

/// A line of the source. (std::source_location is more than clang-tidy 14 can read from g++ 12's library.)
class SourcePlace {
 public:
  static constexpr SourcePlace current(const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
    return {file, line};
  }
  constexpr const char* file_name() const { return file_; }
  constexpr int line() const { return line_; }

 private:
  constexpr SourcePlace(const char* file, int line) : file_(file), line_(line) {}
  const char* file_;
  int line_;
};

/// Process exit codes (README, "Exit codes").
enum class ExitCode : int { done = 0, failure = 1, bad_input = 2, stopped = 75 };

/// Something failed while running: exit code 1.
class Error : public std::runtime_error {
 public:
  explicit Error(const std::string& what, ExitCode code = ExitCode::failure, SourcePlace place = SourcePlace::current())
      : std::runtime_error(what), code_(code), place_(place) {}
  ExitCode code() const noexcept { return code_; }
  const SourcePlace& place() const noexcept { return place_; }

 private:
  ExitCode code_;
  SourcePlace place_;
};

/// The user's input (a file, a key, a folder) is not usable: exit code 2. The text says what and how to mend it.
class InputError : public Error {
 public:
  explicit InputError(const std::string& what, SourcePlace place = SourcePlace::current())
      : Error(what, ExitCode::bad_input, place) {}
};

/// The parts, streamed one after another into one string.
template <class... Parts>
std::string text(const Parts&... parts) {
  std::ostringstream out;
  (out << ... << parts);
  return out.str();
}

}  // namespace tenfold

/// Always checked. TENFOLD_VERIFY(rows == 4, "rows = ", rows) throws tenfold::Error.
#define TENFOLD_VERIFY(condition, ...)                                                       \
  do {                                                                                       \
    if (!(condition)) throw ::tenfold::Error(::tenfold::text(#condition ": ", __VA_ARGS__)); \
  } while (false)

/// Checked in debug builds only.
#ifdef NDEBUG
#define TENFOLD_ASSERT(condition, ...) static_cast<void>(0)
#else
#define TENFOLD_ASSERT(condition, ...) TENFOLD_VERIFY(condition, __VA_ARGS__)
#endif

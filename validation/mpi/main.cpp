// GoogleTest on every rank of an MPI program: a test fails when it fails on any rank.

#include <gtest/gtest.h>

#include <iostream>
#include <memory>

#include "process/runtime.hpp"
#include "process/watchdog.hpp"
#include "world.hpp"

namespace {

tenfold::Runtime* the_runtime = nullptr;

/// Ranks other than 0 only speak of failures.
class FailurePrinter : public testing::EmptyTestEventListener {
  void OnTestPartResult(const testing::TestPartResult& result) override {
    if (!result.failed()) return;
    std::cerr << "rank " << tenfold::testing::world().rank() << ": "
              << (result.file_name() == nullptr ? "" : result.file_name()) << ":" << result.line_number() << "\n"
              << result.message() << "\n";
  }
};

}  // namespace

tenfold::Runtime& tenfold::testing::runtime() {
  return *the_runtime;
}

tenfold::MpiCommunicator& tenfold::testing::world() {
  return runtime().world();
}

int main(int argc, char** argv) {
  tenfold::Signals signals;
  signals.start(tenfold::Signals::Meaning::save);
  testing::InitGoogleTest(&argc, argv);
  return tenfold::run_application(argc, argv, signals, [](tenfold::Runtime& runtime) {
    the_runtime = &runtime;
    const tenfold::Watchdog watchdog(runtime, std::chrono::seconds(120));
    if (runtime.world().rank() != 0) {
      testing::TestEventListeners& listeners = testing::UnitTest::GetInstance()->listeners();
      const std::unique_ptr<testing::TestEventListener> printer(listeners.Release(listeners.default_result_printer()));
      listeners.Append(new FailurePrinter);  // GoogleTest owns it
    }
    const std::int64_t failed = RUN_ALL_TESTS();
    return runtime.world().all_reduce_max(failed) == 0 ? tenfold::ExitCode::done : tenfold::ExitCode::failure;
  });
}

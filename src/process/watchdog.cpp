#include "process/watchdog.hpp"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <condition_variable>
#include <csignal>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

#include "process/detail/host_link.hpp"
#include "process/detail/node_table.hpp"
#include "process/detail/system.hpp"

namespace tenfold {

namespace {

using Seconds = std::chrono::duration<double>;
using detail::NodeSlot;

constexpr Seconds period{0.1};
/// A gap between two looks counts as no more than this: this process itself may have been stopped.
constexpr Seconds longest_look{0.5};
/// After the stall timeout, for the node of the stalled rank to speak before those that only wait for it.
constexpr Seconds grace_of_waiters{3};
/// For a rank that reports its own error to have ended all ranks.
constexpr Seconds grace_of_speaker{5};
/// For the rank that claimed the report to have printed it.
constexpr Seconds grace_of_reporter{2};

/// Puts off a SIGTERM that means the end for as long as it lives, and marks the rank as leaving instead. At once:
/// mpirun may kill this process before the watchdog's thread wakes, and the others must not take that end for a fault.
class DeferredTermination {
 public:
  DeferredTermination(Signals& signals, NodeSlot& mine) : signals_(signals) {
    signals_.defer_termination([this, &mine] {
      mine.state.store(NodeSlot::left);
      received_.store(true);
    });
  }
  ~DeferredTermination() {
    try {
      signals_.defer_termination({});
      if (received()) Signals::deliver(SIGTERM);
    } catch (const std::exception& error) {  // of a system that has no lock or no signal left
      detail::write_error(text("tenfold: ", error.what(), "\n"));
      std::_Exit(static_cast<int>(ExitCode::failure));
    }
  }
  DeferredTermination(const DeferredTermination&) = delete;
  DeferredTermination& operator=(const DeferredTermination&) = delete;

  bool received() const { return received_.load(); }

 private:
  Signals& signals_;
  std::atomic<bool> received_{false};
};

/// Lets others see the rank's progress for as long as it lives.
class Publication {
 public:
  Publication(Progress& progress, Standing& shared) : progress_(progress) { progress_.publish(&shared); }
  ~Publication() { progress_.publish(nullptr); }
  Publication(const Publication&) = delete;
  Publication& operator=(const Publication&) = delete;

 private:
  Progress& progress_;
};

}  // namespace

class Watchdog::Observer {
 public:
  Observer(Runtime& runtime, Seconds stall_timeout)
      : host_(runtime.host()),
        stall_timeout_(stall_timeout),
        table_(runtime.world()),
        hosts_(runtime.world(), table_.leads(), stall_timeout),
        publication_(runtime.progress(), table_.mine().standing),
        seen_(table_.slots().size()),
        termination_(runtime.signals(), table_.mine()) {
    runtime.world().barrier();
    thread_ = std::thread([this] { run(); });
  }

  ~Observer() {
    {
      const std::lock_guard lock(mutex_);
      stop_ = true;
    }
    wake_.notify_one();
    thread_.join();
    table_.mine().state.store(std::uncaught_exceptions() > 0 ? NodeSlot::spoken : NodeSlot::left);
  }

 private:
  /// What this process has seen of a rank.
  struct Seen {
    std::int64_t ticks = 0;
    Seconds age{0};     ///< since it last showed progress
    Seconds spoken{0};  ///< since it said that it speaks for itself
    char process = 'R';
    bool waits = false;
  };

  void run();
  void look(Seconds elapsed);
  void judge();
  [[noreturn]] void report_and_end(const std::string& what);
  std::string standing() const;
  std::string name_of(std::size_t i) const;
  std::string place_of(std::size_t i) const;

  std::string host_;
  Seconds stall_timeout_;
  detail::NodeTable table_;
  detail::HostLink hosts_;
  Publication publication_;
  std::vector<Seen> seen_;
  Seconds least_wait_{0};  ///< for which every rank of this node has been waiting; max: all have ended
  std::string waits_in_;   ///< the one that waits for the shortest time
  DeferredTermination termination_;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool stop_ = false;
  std::thread thread_;
};

void Watchdog::Observer::run() {
  auto last = std::chrono::steady_clock::now();
  std::unique_lock lock(mutex_);
  while (!wake_.wait_for(lock, period, [this] { return stop_; })) {
    const auto now = std::chrono::steady_clock::now();
    const bool terminating = termination_.received();
    const Seconds elapsed = std::min<Seconds>(now - last, longest_look);
    look(elapsed);
    if (table_.leads()) hosts_.exchange(elapsed, least_wait_, waits_in_);
    judge();
    last = now;
    if (terminating) Signals::deliver(SIGTERM);
  }
}

void Watchdog::Observer::look(Seconds elapsed) {
  least_wait_ = Seconds::max();
  for (std::size_t i = 0; i < seen_.size(); ++i) {
    const NodeSlot& slot = table_.slots()[i];
    Seen& seen = seen_[i];
    const std::int64_t ticks = slot.standing.ticks.load(std::memory_order_acquire);
    seen.age = ticks == seen.ticks ? seen.age + elapsed : Seconds{0};
    seen.ticks = ticks;
    seen.waits = !slot.standing.waiting.load().empty();
    seen.process = detail::process_state(slot.pid.load());
    const std::int32_t state = slot.state.load();
    if (state == NodeSlot::spoken) seen.spoken += elapsed;
    const Seconds wait = seen.waits ? seen.age : Seconds{0};
    if (state != NodeSlot::present || wait >= least_wait_) continue;
    least_wait_ = wait;
    waits_in_ = slot.standing.waiting.load();
  }
}

void Watchdog::Observer::judge() {
  std::string dead;
  std::string stalled;
  for (std::size_t i = 0; i < seen_.size(); ++i) {
    const Seen& seen = seen_[i];
    // Re-read after the process was seen gone: it says that it leaves before it does.
    const std::int32_t state = table_.slots()[i].state.load();
    if (seen.spoken > grace_of_speaker) _exit(static_cast<int>(ExitCode::failure));
    if (state != NodeSlot::present) continue;
    if (seen.process == 0) dead += text("tenfold: ", name_of(i), " died at ", place_of(i), "\n");
    const bool stopped = seen.process == 'T' || seen.process == 't';
    if (seen.age > stall_timeout_ && (!seen.waits || stopped))
      stalled += text("tenfold: ", name_of(i), " stalled for ", static_cast<int>(seen.age.count()), " s at ",
                      place_of(i), stopped ? " (its process is stopped by a signal)" : "", "\n");
  }
  if (!dead.empty()) report_and_end(dead);
  if (!stalled.empty()) report_and_end(stalled);
  const Seconds limit = stall_timeout_ + grace_of_waiters;
  if (hosts_.judges() && least_wait_ != Seconds::max() && least_wait_ > limit && hosts_.others_wait() > limit)
    report_and_end(text(
        "tenfold: every rank of host ", host_, " waits for others since ", static_cast<int>(least_wait_.count()), " s",
        hosts_.several() ? "" : ": the ranks wait in different collectives", "\n", hosts_.describe_others()));
}

void Watchdog::Observer::report_and_end(const std::string& what) {
  detail::NodeReport& report = table_.report();
  if (report.claimed.exchange(1) == 0) {
    detail::write_error(what + standing());
    report.printed.store(1);
  } else {
    const auto deadline = std::chrono::steady_clock::now() + grace_of_reporter;
    while (report.printed.load() == 0 && std::chrono::steady_clock::now() < deadline)
      std::this_thread::sleep_for(period);
  }
  _exit(static_cast<int>(ExitCode::failure));
}

std::string Watchdog::Observer::standing() const {
  std::string lines;
  for (std::size_t i = 0; i < seen_.size(); ++i) {
    const char* state = "";
    if (seen_[i].process == 0) state = ", gone";
    if (table_.slots()[i].state.load() == NodeSlot::left) state = ", had ended";
    lines += text("tenfold:   ", name_of(i), ": ", place_of(i), ", no progress for ",
                  std::round(seen_[i].age.count() * 10) / 10, " s", state, "\n");
  }
  return lines;
}

std::string Watchdog::Observer::name_of(std::size_t i) const {
  const NodeSlot& slot = table_.slots()[i];
  return text("rank ", slot.rank.load(), " (host ", host_, ", pid ", slot.pid.load(), ")");
}

std::string Watchdog::Observer::place_of(std::size_t i) const {
  const NodeSlot& slot = table_.slots()[i];
  const std::string waiting = slot.standing.waiting.load();
  return text("step ", slot.standing.step.load(), " in ", slot.standing.region.load(),
              waiting.empty() ? "" : ", waiting in ", waiting);
}

Watchdog::Watchdog(Runtime& runtime, std::chrono::duration<double> stall_timeout)
    : observer_(std::make_unique<Observer>(runtime, stall_timeout)) {}

Watchdog::~Watchdog() = default;

}  // namespace tenfold

#pragma once
// Where a rank stands: step, region, and the collective it waits in. The main thread writes it, cheaply enough for
// every kernel; the watchdog makes it visible to the other ranks of the node.

#include <array>
#include <atomic>
#include <cstdint>
#include <string>

namespace tenfold {

/// A short text that one process writes and others read; cut to its capacity. A reader may see a mix of old and new
/// while it is being written.
class SharedText {
 public:
  void store(const char* text);
  std::string load() const;

 private:
  std::array<std::atomic<std::uint64_t>, 8> words_{};
};

/// What others see of a rank, in memory shared with them.
struct Standing {
  std::atomic<std::int64_t> step{0};
  std::atomic<std::int64_t> ticks{0};  ///< grows with every sign of life
  SharedText region;
  SharedText waiting;  ///< the collective it waits in; empty: none
};

/// To be used by the main thread alone.
class Progress {
 public:
  void step(std::int64_t step) {
    step_ = step;
    if (shared_ != nullptr) shared_->step.store(step, std::memory_order_relaxed);
    tick();
  }

  /// The region entered last; `literal` must live as long as the process.
  void region(const char* literal) {
    region_ = literal;
    if (shared_ != nullptr) shared_->region.store(literal);
    tick();
  }

  /// A sign of life from within a long local loop.
  void tick() {
    ++ticks_;
    if (shared_ != nullptr) shared_->ticks.store(ticks_, std::memory_order_release);
  }

  std::int64_t current_step() const { return step_; }
  const char* current_region() const { return region_; }
  const char* waiting_in() const { return waiting_; }  ///< null: not in a collective
  std::int64_t ticks() const { return ticks_; }

  /// From now on others see it there; null: nowhere.
  void publish(Standing* shared) {
    shared_ = shared;
    step(step_);
    region(region_);
    wait_in(waiting_);
  }

  /// Marks that the rank waits for others: Progress::Waiting waiting(progress, "MPI_Barrier"). Every blocking call of a
  /// communicator does this itself; collective file calls of HDF5 are for their callers to mark. May be nested.
  class Waiting {
   public:
    Waiting(Progress& progress, const char* literal) : progress_(progress), outer_(progress.waiting_in()) {
      progress_.wait_in(literal);
    }
    ~Waiting() { progress_.wait_in(outer_); }
    Waiting(const Waiting&) = delete;
    Waiting& operator=(const Waiting&) = delete;

   private:
    Progress& progress_;
    const char* outer_;
  };

 private:
  void wait_in(const char* literal) {
    waiting_ = literal;
    if (shared_ != nullptr) shared_->waiting.store(literal == nullptr ? "" : literal);
    tick();
  }

  std::int64_t step_ = 0;
  std::int64_t ticks_ = 0;
  const char* region_ = "start";
  const char* waiting_ = nullptr;
  Standing* shared_ = nullptr;
};

}  // namespace tenfold

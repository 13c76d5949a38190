#pragma once
// What rank 0 tells of a run: trace, progress line, log, MLPerf log. On other ranks there is no reporter.

#include <optional>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "config/settings.hpp"
#include "io/mllog.hpp"
#include "io/run_folder.hpp"
#include "io/trace.hpp"
#include "training/trainer.hpp"
#include "training/validator.hpp"

namespace tenfold {

class Reporter {
 public:
  /// `resume_step`: the trace keeps its rows up to there. `peak`: matrix-product FLOP/s of all ranks, of which shares
  /// are stated.
  Reporter(const Settings& settings, const RunFolder& folder, const TraceHeader& header, const Objective& objective,
           std::optional<std::int64_t> resume_step, double peak);

  void step(const StepResult& result);
  /// `without_notes`: in a run with notes, the same validation as if there were none.
  void validation(std::int64_t step, std::int64_t tokens, const Validator::Result& result,
                  const std::optional<Validator::Result>& without_notes);
  /// Makes all rows visible, so that a resume from a checkpoint saved next finds them.
  void flush() { trace_.flush(); }
  /// A line in the log and on the standard output.
  void say(const std::string& words);
  /// Closing line; `status` as in MLPerf: success or aborted.
  void finish(const char* status);

 private:
  std::string describe(const StepResult& result) const;
  void show_progress(const std::string& line);
  void clear_progress();

  Settings settings_;
  std::vector<std::string> metric_names_;
  LogFile log_;
  MlLog mllog_;
  TraceWriter trace_;
  double peak_;
  bool terminal_;
  bool progress_shown_ = false;
  Clock::time_point last_shown_;
  std::vector<TraceValue> row_;  ///< of the last step
  // Of this job. The closing rates and the time left are of all the time since its first step began, validation and
  // saves included.
  Clock::time_point start_;
  std::int64_t steps_ = 0, skipped_ = 0;
  double tokens_ = 0, flops_ = 0;
  std::int64_t last_step_ = 0;
  double last_loss_ = 0;
};

}  // namespace tenfold

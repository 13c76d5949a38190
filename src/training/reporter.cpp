#include "training/reporter.hpp"

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <iomanip>
#include <iostream>
#include <sstream>

#include "base/version.hpp"

namespace tenfold {

namespace {

constexpr double giga = 1e9;
constexpr std::int64_t most_waiting_rows = 512;  // a chunk

constexpr const char* split_names[] = {"loss_mlm_near_rare_word", "loss_mlm_of_rare_word", "loss_mlm_with_rare_word",
                                       "loss_mlm_without_rare_word"};

std::vector<TraceTable> tables(const std::vector<std::string>& metrics, bool notes) {
  std::vector<TraceColumn> train = {{"step", DType::i64}};
  for (const std::string& name : metrics) train.push_back({name, DType::f64});
  for (const char* name : {"learning_rate", "gradient_norm"}) train.push_back({name, DType::f64});
  for (const char* name : {"tokens", "sequences", "skipped"}) train.push_back({name, DType::i64});
  for (const char* name :
       {"seconds", "seconds_data", "seconds_compute", "seconds_communication", "seconds_checkpoint", "model_flops"})
    train.push_back({name, DType::f64});
  if (notes) {
    for (const char* name : {"notes_looked_up", "notes_updated", "notes_dropped", "notes_bytes"})
      train.push_back({name, DType::i64});
    for (const char* name : {"notes_age", "seconds_notes"}) train.push_back({name, DType::f64});
  }
  std::vector<TraceColumn> validation = {{"step", DType::i64}, {"tokens", DType::i64}};
  for (const char* suffix : {"", "_without_notes"}) {
    if (*suffix != 0 && !notes) continue;
    for (const std::string& name : metrics) validation.push_back({name + suffix, DType::f64});
    for (const char* name : split_names) validation.push_back({std::string(name) + suffix, DType::f64});
  }
  return {{"train", train}, {"validation", validation}};
}

std::string duration(double seconds) {
  const auto whole = static_cast<std::int64_t>(seconds);
  std::ostringstream out;
  if (whole >= 3600) out << whole / 3600 << ':' << std::setfill('0') << std::setw(2);
  out << whole / 60 % 60 << ':' << std::setfill('0') << std::setw(2) << whole % 60;
  return out.str();
}

/// Whether the standard output is a terminal. Open MPI's mpirun gives its ranks one whatever its own output is, so that
/// with it the parent's counts.
bool on_terminal() {
  if (isatty(STDOUT_FILENO) != 1) return false;
  if (std::getenv("OMPI_COMM_WORLD_RANK") == nullptr) return true;
  std::error_code failure;
  const std::string output =
      std::filesystem::read_symlink(text("/proc/", getppid(), "/fd/", STDOUT_FILENO), failure).string();
  return output.starts_with("/dev/pts/") || output.starts_with("/dev/tty");
}

}  // namespace

Reporter::Reporter(const Settings& settings, const RunFolder& folder, const TraceHeader& header,
                   const Objective& objective, std::optional<std::int64_t> resume_step, double peak)
    : settings_(settings),
      metric_names_(objective.metric_names()),
      log_(folder.log()),
      mllog_(folder.mllog()),
      trace_(folder.trace(), tables(metric_names_, settings.notes.enabled), header, resume_step,
             static_cast<std::size_t>(std::min(settings.log.every, most_waiting_rows))),
      peak_(peak),
      terminal_(on_terminal()),
      last_step_(resume_step.value_or(0)) {
  mllog_.point("submission_benchmark", "bert-pretraining");
  mllog_.point("seed", settings.run.seed);
  mllog_.point("global_batch_size", settings.data.global_batch);
  if (last_step_ < settings.run.steps)
    mllog_.start("run_start", {{"first_step", last_step_}, {"samples_count", last_step_ * settings.data.global_batch}});
}

void Reporter::step(const StepResult& result) {
  row_.assign(1, result.step);
  for (double value : result.metrics) row_.emplace_back(value);
  row_.emplace_back(result.learning_rate);
  row_.emplace_back(result.gradient_norm);
  row_.emplace_back(static_cast<std::int64_t>(result.counts.tokens));
  row_.emplace_back(static_cast<std::int64_t>(result.counts.sequences));
  row_.emplace_back(static_cast<std::int64_t>(result.skipped));
  for (double value : {result.seconds, result.seconds_data, result.seconds_compute, result.seconds_communication,
                       result.seconds_checkpoint, result.flops})
    row_.emplace_back(value);
  if (settings_.notes.enabled) {
    const NoteStatistics& notes = result.notes;
    for (std::int64_t value : {notes.looked_up, notes.updated, notes.dropped, notes.bytes}) row_.emplace_back(value);
    row_.emplace_back(notes.looked_up > 0 ? notes.age / static_cast<double>(notes.looked_up) : 0.0);
    row_.emplace_back(notes.seconds_waited);
  }
  trace_.append("train", row_);

  if (steps_ == 0)
    start_ = Clock::now() - std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(result.seconds));
  ++steps_;
  skipped_ += result.skipped ? 1 : 0;
  tokens_ += result.counts.tokens;
  flops_ += result.flops;
  last_step_ = result.step;
  last_loss_ = result.metrics.front();
  const bool due = result.step % settings_.log.every == 0 || result.step == settings_.run.steps || result.skipped;
  constexpr std::chrono::milliseconds interval{200};
  const bool redraw = terminal_ && (!progress_shown_ || Clock::now() - last_shown_ >= interval);
  if (!due && !redraw) return;
  const std::string line = describe(result);
  if (due) log_.line(line);
  if (redraw)
    show_progress(line);
  else if (!terminal_)
    std::cout << line << std::endl;
}

std::string Reporter::describe(const StepResult& result) const {
  std::ostringstream out;
  out << "step " << result.step << '/' << settings_.run.steps << std::fixed << std::setprecision(4) << "  loss "
      << result.metrics.front() << std::scientific << std::setprecision(2) << "  lr " << result.learning_rate
      << std::fixed << std::setprecision(3) << "  norm " << result.gradient_norm << std::setprecision(0) << "  "
      << result.counts.tokens / result.seconds << " tokens/s  " << std::setprecision(1)
      << result.flops / result.seconds / giga << " GFLOP/s  left "
      << duration(seconds_since(start_) / static_cast<double>(steps_) *
                  static_cast<double>(settings_.run.steps - result.step));
  if (result.skipped) out << "  SKIPPED: loss or gradient not finite";
  return out.str();
}

void Reporter::validation(std::int64_t step, std::int64_t tokens, const Validator::Result& result,
                          const std::optional<Validator::Result>& without_notes) {
  std::vector<TraceValue> row = {step, tokens};
  std::ostringstream line;
  line << "validation at step " << step << std::fixed << std::setprecision(4);
  const auto add = [&](const Validator::Result& values) {
    for (double value : values.metrics) row.emplace_back(value);
    const auto& [near, of, with, without] = values.masked_losses;
    for (double value : {near, of, with, without}) row.emplace_back(value);
  };
  add(result);
  for (std::size_t i = 0; i < result.metrics.size(); ++i) line << "  " << metric_names_[i] << ' ' << result.metrics[i];
  if (without_notes) {
    add(*without_notes);
    line << "  loss without notes " << without_notes->metrics.front();
  }
  trace_.append("validation", row);
  trace_.flush();
  mllog_.point("eval_loss", result.metrics.front(), {{"samples_count", step * settings_.data.global_batch}});
  say(line.str());
}

void Reporter::say(const std::string& words) {
  clear_progress();
  log_.line(words);
  std::cout << words << std::endl;
}

void Reporter::finish(const char* status) {
  std::ostringstream line;
  line << "summary: step " << last_step_ << " of " << settings_.run.steps;
  if (steps_ > 0) {
    const double seconds = seconds_since(start_);
    line << std::fixed << std::setprecision(4) << ", loss " << last_loss_ << "; this job: " << steps_ << " steps, "
         << skipped_ << " skipped, " << std::setprecision(0) << tokens_ << " tokens in " << duration(seconds)
         << " with validation and saves: " << tokens_ / seconds << " tokens/s, " << std::setprecision(1)
         << flops_ / seconds / giga << " model GFLOP/s, utilisation " << std::setprecision(3)
         << flops_ / seconds / peak_ << " of packed matrix products";
    mllog_.end("run_stop", {{"status", status}, {"samples_count", last_step_ * settings_.data.global_batch}});
  } else {
    line << ", nothing was left to do";
  }
  say(line.str());
  trace_.close();
}

void Reporter::show_progress(const std::string& line) {
  std::cout << "\r\033[K" << line << std::flush;
  progress_shown_ = true;
  last_shown_ = Clock::now();
}

void Reporter::clear_progress() {
  if (progress_shown_) std::cout << "\r\033[K";
  progress_shown_ = false;
}

}  // namespace tenfold

// `tenfold bench`: training steps on random full sequences, in tokens/s and against the matrix-product peak measured in
// the same run.

#include <algorithm>
#include <chrono>
#include <iomanip>
#include <iostream>
#include <nlohmann/json.hpp>

#include "base/clock.hpp"
#include "base/version.hpp"
#include "commands/commands.hpp"
#include "parallel/process_grid.hpp"
#include "process/watchdog.hpp"
#include "training/batch_pipeline.hpp"
#include "training/learner.hpp"
#include "training/memory.hpp"
#include "training/peak.hpp"
#include "training/profile.hpp"

namespace tenfold {

namespace {

constexpr int warmup_steps = 1;

/// FLOP/s of a square product of the library: the strict yardstick and the usual one.
struct Peak {
  double packed = 0, row_major = 0;
};

/// What has been seen so far and now: measured before and after a run, no moment's noise in one of them flatters it.
Peak best_peak(const Peak& so_far, DType type) {
  Queue unobserved;
  const auto measured = [&](kernels::OperandLayout layout) { return measure_matmul_peak(unobserved, type, layout, 5); };
  return {std::max(so_far.packed, measured(kernels::OperandLayout::packed)),
          std::max(so_far.row_major, measured(kernels::OperandLayout::row_major))};
}

struct Measurement {
  std::int64_t steps = 0;
  double seconds = 0;
  double seconds_communication = 0;
  double tokens_per_second = 0;
  double flops_per_second = 0;  ///< of all ranks
  Peak peak;                    ///< of a rank, mean over ranks
  int ranks = 1;
  Profile profile;
  double utilisation() const { return flops_per_second / (peak.packed * ranks); }
  double utilisation_row_major() const { return flops_per_second / (peak.row_major * ranks); }
};

/// Times settings.bench.steps optimizer steps after a first one.
Measurement measure(const Settings& settings, Runtime& runtime) {
  const Watchdog watchdog(runtime, std::chrono::duration<double>(settings.parallel.stall_timeout));
  plan_that_fits(settings, facts_of_random(settings), runtime.world());
  ProcessGrid grid(runtime.world(), *settings.parallel.data, settings.parallel.tensor);
  Queue queue;
  Measurement result;
  result.ranks = runtime.world().size();
  result.peak = best_peak({}, compute_type(settings));

  Arena arena(queue.device());
  const int vocabulary = settings.tokenizer.size();
  Learner learner(settings, vocabulary, arena);
  learner.initialise(queue);
  GradientReducer reducer(grid.data(), learner.parameters().gradients());
  const RandomSequences sequences(vocabulary, settings.data.sequence_length, settings.run.seed);
  const BatchShape& shape = learner.batch_shape();
  std::unique_ptr<NoteTaker> notes;
  if (settings.notes.enabled)
    notes = std::make_unique<NoteTaker>(grid.data(), settings, RandomSequences::rare_keys, shape, arena);
  BatchPipeline pipeline(sequences, settings, vocabulary, shape, grid.data(), notes.get());
  pipeline.start(1);
  queue.observe([&](const char* label, bool begin) {
    if (begin) runtime.progress().region(label);
    result.profile.observe(label, begin);
    reducer.poll();
    if (notes) notes->dictionary().poll();
  });
  Clock::time_point start;
  double tokens = 0, flops = 0;
  for (std::int64_t step = 1;; ++step) {
    if (step == warmup_steps + 1) {
      result.profile = {};
      runtime.world().barrier();
      start = Clock::now();
    }
    const std::span<const HostBatch> batches = pipeline.advance(queue, false);
    const Clock::time_point exchange = Clock::now();
    const Counts counts = all_reduce(grid.data(), pipeline.counts());
    const double seconds_counts = seconds_since(exchange);
    const StepResult done =
        learner.step(queue, grid.data(), reducer, notes.get(), batches, counts, step, settings.optimizer.learning_rate);
    if (step <= warmup_steps) continue;
    result.steps = step - warmup_steps;
    tokens += counts.tokens;
    flops += learner.objective().training_flops(counts, 0.0);
    result.seconds_communication += seconds_counts + done.seconds_communication;
    result.seconds = runtime.world().all_reduce_max(seconds_since(start));
    if (result.steps >= settings.bench.steps) break;
  }
  result.peak = best_peak(result.peak, compute_type(settings));
  for (double* peak : {&result.peak.packed, &result.peak.row_major})
    *peak = runtime.world().all_reduce_sum(*peak) / result.ranks;
  result.tokens_per_second = tokens / result.seconds;
  result.flops_per_second = flops / result.seconds;
  return result;
}

std::vector<std::pair<std::string_view, Profile::Entry>> by_time(const Profile& profile) {
  std::vector<std::pair<std::string_view, Profile::Entry>> rows(profile.entries().begin(), profile.entries().end());
  std::sort(rows.begin(), rows.end(), [](const auto& a, const auto& b) { return a.second.seconds > b.second.seconds; });
  return rows;
}

nlohmann::json to_json(const Measurement& result) {
  nlohmann::json ops = nlohmann::json::array();
  for (const auto& [label, entry] : by_time(result.profile))
    ops.push_back({{"op", label}, {"calls", entry.calls}, {"seconds", entry.seconds}});
  return {{"tokens_per_second", result.tokens_per_second},
          {"model_flops_per_second", result.flops_per_second},
          {"matmul_flops_per_second", result.peak.packed},
          {"matmul_row_major_flops_per_second", result.peak.row_major},
          {"utilisation", result.utilisation()},
          {"utilisation_row_major", result.utilisation_row_major()},
          {"ranks", result.ranks},
          {"steps", result.steps},
          {"seconds", result.seconds},
          {"seconds_communication", result.seconds_communication},
          {"commit", git_commit()},
          {"ops", ops}};
}

void print_table(const Measurement& result) {
  constexpr double giga = 1e9;
  std::cout << std::fixed << std::setprecision(1) << "tokens per second       " << result.tokens_per_second << '\n'
            << "model FLOP/s            " << result.flops_per_second / giga << " G\n"
            << "matrix-product FLOP/s   " << result.peak.packed / giga << " G a rank with operands packed beforehand, "
            << result.peak.row_major / giga << " G row-major (best of 1024^3 and 2048^3, before and after)\n"
            << std::setprecision(3) << "utilisation             " << result.utilisation() << " of the former, "
            << result.utilisation_row_major() << " of the latter\n\n"
            << std::left << std::setw(48) << "op (rank 0, without what it calls)" << std::right << std::setw(8)
            << "calls" << std::setw(11) << "seconds" << std::setw(9) << "share\n";
  double inside = 0;
  const auto row = [&](std::string_view name, const std::string& calls, double seconds) {
    std::cout << std::left << std::setw(48) << name << std::right << std::setw(8) << calls << std::setw(11) << seconds
              << std::setw(7) << std::setprecision(1) << 100 * seconds / result.seconds << " %\n"
              << std::setprecision(3);
  };
  for (const auto& [label, entry] : by_time(result.profile)) {
    row(label, std::to_string(entry.calls), entry.seconds);
    inside += entry.seconds;
  }
  row("outside of kernels (data, waiting)", "", result.seconds - inside);
}

}  // namespace

void bench(const Settings& settings, Runtime& runtime, bool json) {
  const Measurement result = measure(settings, runtime);
  if (runtime.world().rank() != 0) return;
  if (json)
    std::cout << to_json(result).dump(2) << '\n';
  else
    print_table(result);
}

}  // namespace tenfold

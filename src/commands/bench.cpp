// `tenfold bench`: training steps on random full sequences, in tokens/s and against the matrix-product peak measured in
// the same run.

#include <algorithm>
#include <chrono>
#include <iomanip>
#include <iostream>
#include <nlohmann/json.hpp>

#include "base/clock.hpp"
#include "base/profile.hpp"
#include "base/version.hpp"
#include "commands/commands.hpp"
#include "parallel/process_grid.hpp"
#include "process/watchdog.hpp"
#include "training/memory.hpp"
#include "training/peak.hpp"
#include "training/run_device.hpp"

namespace tenfold {

namespace {

constexpr int warmup_steps = 1;

/// FLOP/s of a square product of the library: the strict yardstick and the usual one.
struct Peak {
  double packed = 0, row_major = 0;
};

/// What has been seen so far and now: measured before and after a run, no moment's noise in one of them flatters it.
Peak best_peak(const Peak& so_far, DType type, Device& device) {
  const std::unique_ptr<Queue> unobserved = device.make_queue();
  const auto measured = [&](kernels::OperandLayout layout) {
    const std::int64_t large = device.facts().yardstick;
    return std::max(measure_matmul_peak(*unobserved, type, layout, large / 2, 20),
                    measure_matmul_peak(*unobserved, type, layout, large, 5));
  };
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

void time_steps(const Settings& settings, Runtime& runtime, Trainer& trainer, Measurement& result) {
  trainer.queue().book(&result.profile);
  runtime.world().barrier();
  const Clock::time_point start = Clock::now();
  double tokens = 0, flops = 0;
  for (std::int64_t step = 1; step <= settings.bench.steps; ++step) {
    trainer.take_batches(step == settings.bench.steps);
    const StepResult done = trainer.train_step();
    tokens += done.counts.tokens;
    flops += done.flops;
    result.seconds_communication += done.seconds_communication;
  }
  result.steps = settings.bench.steps;
  result.seconds = runtime.world().all_reduce_max(seconds_since(start));
  result.tokens_per_second = tokens / result.seconds;
  result.flops_per_second = flops / result.seconds;
  trainer.queue().book(nullptr);
}

/// Times settings.bench.steps optimizer steps after a first one.
Measurement measure(const Settings& settings, Runtime& runtime, Device& device) {
  const Watchdog watchdog(runtime, std::chrono::duration<double>(settings.parallel.stall_timeout));
  const TextFacts facts = facts_of_random(settings);
  plan_that_fits(settings, facts, device, runtime.world());
  ProcessGrid grid(runtime.world(), *settings.parallel.data, settings.parallel.tensor);
  const std::unique_ptr<Communicator> data = communicator_for(device, settings, grid.data());
  const std::unique_ptr<Queue> queue = device.make_queue();
  Measurement result;
  result.ranks = runtime.world().size();
  result.peak = best_peak({}, compute_type(settings), device);

  Arena tensors(device), host(device, MemoryKind::pinned);
  const RandomSequences sequences(facts.vocabulary, settings.data.sequence_length, settings.run.seed);
  Trainer trainer(settings, {sequences, facts.vocabulary, facts.rare_words}, *data, runtime.progress(), *queue, tensors,
                  host);
  trainer.initialise();
  trainer.start(1);
  for (int step = 0; step < warmup_steps; ++step) {
    trainer.take_batches(false);
    trainer.train_step();
  }
  time_steps(settings, runtime, trainer, result);
  result.peak = best_peak(result.peak, compute_type(settings), device);
  for (double* peak : {&result.peak.packed, &result.peak.row_major})
    *peak = runtime.world().all_reduce_sum(*peak) / result.ranks;
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
            << result.peak.row_major / giga << " G row-major (best of two sizes, before and after)\n"
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

ExitCode bench(const Settings& settings, Runtime& runtime, Device& device) {
  const Measurement result = measure(settings, runtime, device);
  if (runtime.world().rank() != 0) return ExitCode::done;
  if (settings.call.json)
    std::cout << to_json(result).dump(2) << '\n';
  else
    print_table(result);
  return ExitCode::done;
}

}  // namespace tenfold

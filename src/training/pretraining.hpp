#pragma once
// A pre-training run in its folder, from the first or a saved step to the last, or to where it is asked to stop.

#include <memory>
#include <optional>

#include "io/corpus.hpp"
#include "io/manifest.hpp"
#include "io/run_folder.hpp"
#include "parallel/process_grid.hpp"
#include "process/runtime.hpp"
#include "process/watchdog.hpp"
#include "training/checkpoints.hpp"
#include "training/memory.hpp"
#include "training/reporter.hpp"
#include "training/run_state.hpp"

namespace tenfold {

/// The corpus at data.corpus. InputError if it is none, or not one that these settings can be trained on.
Corpus open_corpus(const Settings& settings);

class Pretraining {
 public:
  /// Opens corpus and run folder, takes memory, and initialises or resumes. `library_versions` by name, for the
  /// manifest. Collective. Everything that is wrong with the user's input is found here, before any work.
  Pretraining(const Settings& settings, Runtime& runtime, Device& device,
              const std::map<std::string, std::string>& library_versions);

  /// Trains. `done`, or `stopped` with a checkpoint saved when SIGUSR1 or SIGTERM asked for it.
  ExitCode run();

 private:
  std::unique_ptr<RunFolder> open_folder();
  double measure_peak();
  TrainingText training_text();
  CheckpointContent content();        ///< of a checkpoint now
  std::vector<std::string> resume();  ///< what is to be said of it
  void expect_same_run(const RunState& stored) const;
  void start_reporting(const std::map<std::string, std::string>& library_versions);
  StepResult train_step(bool last);
  void judge(const StepResult& result);
  void validate();
  void save();
  void report_memory();
  void say(const std::string& words);

  Settings settings_;
  Runtime& runtime_;
  ProcessGrid grid_;
  Watchdog watchdog_;
  Device& device_;
  std::unique_ptr<Communicator> data_;  ///< the data ranks, for tensors of the device
  std::unique_ptr<Queue> queue_;
  Corpus corpus_;
  MemoryPlan memory_;
  double peak_;               ///< matrix-product FLOP/s of all ranks
  std::size_t start_memory_;  ///< bytes resident before anything of the run was made
  CorpusSequences train_, held_out_;
  std::unique_ptr<RunFolder> folder_;  ///< rank 0 only
  Checkpoints checkpoints_;
  Arena tensors_, host_;
  std::string note_words_;  ///< one a line, by key, in a run with notes
  Trainer trainer_;
  Validator validator_;
  RunState state_;
  std::optional<std::int64_t> resumed_at_;
  std::unique_ptr<Manifest> manifest_;  ///< rank 0 only
  std::unique_ptr<Reporter> reporter_;  ///< rank 0 only
  double seconds_checkpoint_ = 0;
};

}  // namespace tenfold

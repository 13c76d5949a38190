#include "training/pretraining.hpp"

#include <filesystem>

#include "base/clock.hpp"
#include "base/version.hpp"
#include "config/configuration.hpp"
#include "data/packing.hpp"
#include "parallel/agree.hpp"
#include "parallel/replica_check.hpp"
#include "training/peak.hpp"
#include "training/resume_remarks.hpp"
#include "training/run_device.hpp"
#include "training/schedule.hpp"
#include "training/step_dump.hpp"

namespace tenfold {

namespace {

constexpr int most_skipped_in_row = 10;
constexpr double mebi = 1024.0 * 1024.0;

CorpusSequences packed(const Corpus& corpus, Split split, const Settings& settings, MpiCommunicator& world) {
  return {corpus, split, pack(corpus, split, settings.data.sequence_length, world)};
}

std::string checkpoint_folder(const Settings& settings) {
  return settings.run.folder + "/checkpoints";
}

/// The same corpus on all ranks. Collective.
Corpus open_on_all_ranks(const Settings& settings, Runtime& runtime) {
  Corpus corpus = agree(runtime.world(), [&] { return open_corpus(settings); });
  std::string digest = corpus.digest();
  runtime.world().broadcast(digest);
  agree(runtime.world(), [&] {
    if (corpus.digest() != digest)
      throw InputError(text("data.corpus: ", corpus.path(), " has digest ", corpus.digest(), " here and ", digest,
                            " on rank 0; give all ranks the same file"));
  });
  return corpus;
}

InputError no_checkpoint(const Settings& settings) {
  return InputError(text("run.resume = always, but ", checkpoint_folder(settings),
                         " holds no checkpoint; use run.resume=auto to start a run where there is none"));
}

}  // namespace

Corpus open_corpus(const Settings& settings) {
  std::optional<Corpus> corpus;
  try {
    corpus.emplace(settings.data.corpus);
  } catch (const Error& error) {
    throw InputError(text("data.corpus: ", error.what(), "; give a file that `tenfold prepare` wrote"));
  }
  if (settings.notes.enabled && corpus->rare_occurrences(Split::train) == 0)
    throw InputError(text("notes.enabled = true, but ", corpus->path(),
                          " has no rare words; prepare it again with another corpus.rare_coverage or rare_min_count"));
  const int vocabulary = corpus->vocabulary_size();
  if (const int wanted = settings.tokenizer.vocabulary_size.value_or(vocabulary); wanted != vocabulary)
    throw InputError(text("tokenizer.vocabulary_size = ", wanted, ", but ", corpus->path(), " has a vocabulary of ",
                          vocabulary, "; prepare a corpus with as many, or give tokenizer.vocabulary_size=auto"));
  expect_vocabulary(settings.objective, corpus->vocabulary());
  return std::move(*corpus);
}

Pretraining::Pretraining(const Settings& settings, Runtime& runtime, Device& device,
                         const std::map<std::string, std::string>& library_versions)
    : settings_(settings),
      runtime_(runtime),
      grid_(runtime.world(), *settings.parallel.data, settings.parallel.tensor),
      watchdog_(runtime, std::chrono::duration<double>(settings.parallel.stall_timeout)),
      device_(device),
      data_(communicator_for(device, settings, grid_.data())),
      queue_(device.make_queue()),
      corpus_(open_on_all_ranks(settings, runtime)),
      memory_(
          plan_that_fits(settings, agree(runtime.world(), [&] { return facts_of(corpus_); }), device, runtime.world())),
      peak_(measure_peak()),
      start_memory_(resident_bytes()),
      train_(packed(corpus_, Split::train, settings, runtime.world())),
      held_out_(packed(corpus_, Split::validation, settings, runtime.world())),
      folder_(open_folder()),
      checkpoints_(checkpoint_folder(settings), settings.checkpoint.keep, runtime.world()),
      tensors_(device),
      host_(device, MemoryKind::pinned),
      trainer_(settings, training_text(), *data_, runtime.progress(), *queue_, tensors_, host_),
      validator_(held_out_, settings, corpus_.vocabulary(), *data_, host_) {
  state_.configuration = to_ini(settings, "pretrain");
  state_.corpus_digest = corpus_.digest();
  state_.tokenizer = corpus_.tokenizer_model();
  trainer_.initialise();
  const std::vector<std::string> remarks = resume();
  checkpoints_.expect_room(content());
  start_reporting(library_versions);
  for (const std::string& each : remarks) say(each);
}

double Pretraining::measure_peak() {
  queue_->observe([this](const char* label) { runtime_.progress().region(label); });
  const double peak = measure_matmul_peak(*queue_, compute_type(settings_), kernels::OperandLayout::packed,
                                          device_.facts().yardstick / 2, 8);
  reset_peak_resident_bytes();  // the operands are gone
  return runtime_.world().all_reduce_sum(peak);
}

TrainingText Pretraining::training_text() {
  TrainingText text{train_, corpus_.vocabulary()};
  if (!settings_.notes.enabled) return text;
  const auto words = agree(runtime_.world(), [&] { return corpus_.rare_words(); });
  for (const RareWord& word : words) note_words_ += word.text + '\n';
  text.rare_words = static_cast<std::int64_t>(words.size());
  return text;
}

std::unique_ptr<RunFolder> Pretraining::open_folder() {
  return agree(runtime_.world(), [&]() -> std::unique_ptr<RunFolder> {
    if (runtime_.world().rank() != 0) return nullptr;
    const bool resumes = settings_.run.resume == Resume::always;
    if (resumes && !std::filesystem::exists(checkpoint_folder(settings_))) throw no_checkpoint(settings_);
    auto opened = std::make_unique<RunFolder>(settings_.run.folder);
    if (settings_.run.resume == Resume::never) opened->expect_new();
    return opened;
  });
}

std::vector<std::string> Pretraining::resume() {
  if (settings_.run.resume == Resume::never) return {};
  const FoundCheckpoint found = checkpoints_.open_newest();
  if (!found.checkpoint) {
    if (settings_.run.resume == Resume::auto_) return {};
    agree(runtime_.world(), [&] { throw no_checkpoint(settings_); });
  }
  std::vector<std::string> remarks = remarks_on(found, runtime_.world().size());
  agree(runtime_.world(), [&] {
    const RunState stored = read_run_state(*found.checkpoint);
    expect_same_run(stored);
    for (const std::string& each : changed_keys(stored.configuration, settings_)) remarks.push_back(each);
    state_.step = stored.step;
    state_.tokens = stored.tokens;
    state_.skipped = stored.skipped;
    state_.skipped_in_row = stored.skipped_in_row;
    restore(*found.checkpoint, trainer_);
    if (trainer_.notes() != nullptr) restore_notes(*found.checkpoint, trainer_.notes()->dictionary());
  });
  resumed_at_ = state_.step;
  return remarks;
}

void Pretraining::expect_same_run(const RunState& stored) const {
  std::string differences;
  for (const KeyDifference& key : differences_that_forbid_resume(from_ini(stored.configuration), settings_))
    differences += text(differences.empty() ? "" : ", ", key.key, " (", key.a, " in the checkpoint, ", key.b, " now)");
  if (!differences.empty())
    throw InputError(text("cannot resume ", settings_.run.folder, " with other settings: ", differences,
                          "; give the same ones, or a new run.folder"));
  if (stored.corpus_digest != corpus_.digest())
    throw InputError(text("cannot resume ", settings_.run.folder, " with another corpus: ", corpus_.path(),
                          " has digest ", corpus_.digest(), ", the checkpoint's had ", stored.corpus_digest));
  if (stored.step > settings_.run.steps)
    throw InputError(text(settings_.run.folder, " has done ", stored.step,
                          " steps already, run.steps = ", settings_.run.steps, " asks for fewer"));
}

void Pretraining::start_reporting(const std::map<std::string, std::string>& library_versions) {
  const std::vector<std::string> hosts = runtime_.world().all_gather(runtime_.host());
  agree(runtime_.world(), [&] {
    if (!folder_) return;
    manifest_ = std::make_unique<Manifest>(
        folder_->manifest(), RunDescription{to_map(settings_, "pretrain"), library_versions, hosts, corpus_.path(),
                                            corpus_.digest(), trainer_.parameters().count(), state_.step});
    const TraceHeader header{{{"configuration", state_.configuration}, {"version", text(version(), " ", git_commit())}},
                             {{"hosts", hosts}},
                             {{"seed", static_cast<std::int64_t>(settings_.run.seed)}}};
    reporter_ = std::make_unique<Reporter>(settings_, *folder_, header, trainer_.objective(), resumed_at_, peak_);
  });
  say(text(resumed_at_ ? "resumed at step " : "new run at step ", state_.step, ": ", trainer_.parameters().count(),
           " parameters, ", train_.count(), " sequences to train on, ", held_out_.count(), " held out, ",
           runtime_.world().size(), " ranks, micro-batch ", *settings_.data.micro_batch));
  if (settings_.optimizer.warmup_steps > settings_.run.steps)
    say(text("optimizer.warmup_steps = ", settings_.optimizer.warmup_steps,
             " is more than run.steps = ", settings_.run.steps, ": the learning rate never reaches its peak"));
}

ExitCode Pretraining::run() {
  if (!resumed_at_) validate();
  if (state_.step < settings_.run.steps) trainer_.start(state_.step + 1);
  bool stopping = false;
  while (state_.step < settings_.run.steps && !stopping) {
    const std::int64_t step = state_.step + 1;
    runtime_.progress().step(step);
    const bool last = step == settings_.run.steps;
    const StepResult result = train_step(last);
    state_.step = step;
    state_.tokens += static_cast<std::int64_t>(result.counts.tokens);
    if (reporter_) reporter_->step(result);
    judge(result);
    // MPI only recommends that a sum has the same bits on every rank: step 1 shows whether this one keeps to it.
    if (step == 1 || step % settings_.parallel.replica_check_every == 0)
      check_replicas(*data_, hash_of(*queue_, trainer_.parameters().masters()), step);
    stopping = runtime_.signals().requested(runtime_.world());
    if (stopping) save();  // first: the time that is left to a run that is asked to stop is for the checkpoint
    if (last || step % settings_.validation.every == 0) validate();
    if (!stopping && (last || step % settings_.checkpoint.every == 0)) save();
  }
  report_memory();
  const ExitCode code = state_.step < settings_.run.steps ? ExitCode::stopped : ExitCode::done;
  if (code == ExitCode::stopped)
    say(text("stopped on request after step ", state_.step, "; continue with run.resume=auto"));
  if (reporter_) reporter_->finish(code == ExitCode::done ? "success" : "aborted");
  if (manifest_) manifest_->finish(static_cast<int>(code), state_.step);
  return code;
}

StepResult Pretraining::train_step(bool last) {
  trainer_.take_batches(last);
  std::optional<StepDump> dump;
  const std::int64_t step = state_.step + 1;
  if (step == settings_.debug.dump_step)
    dump.emplace(text(settings_.run.folder, "/dump-step-", step, ".h5"), state_.configuration, step,
                 settings_.data.sequence_length, trainer_);
  StepResult result = trainer_.train_step();
  if (dump) dump->finish(result);
  result.seconds_checkpoint = std::exchange(seconds_checkpoint_, 0.0);
  return result;
}

void Pretraining::judge(const StepResult& result) {
  if (!result.skipped) {
    state_.skipped_in_row = 0;
    return;
  }
  ++state_.skipped;
  ++state_.skipped_in_row;
  if (state_.skipped_in_row < most_skipped_in_row) return;
  agree(runtime_.world(), [&] {
    throw Error(text("the loss or its gradient was not finite in ", state_.skipped_in_row, " steps in a row, the last ",
                     state_.step, "; lower optimizer.learning_rate or resume from an earlier checkpoint"));
  });
}

void Pretraining::validate() {
  const Validator::Result result = validator_.run(trainer_, true);
  std::optional<Validator::Result> without_notes;
  if (trainer_.notes() != nullptr) without_notes = validator_.run(trainer_, false);
  if (reporter_) reporter_->validation(state_.step, state_.tokens, result, without_notes);
}

CheckpointContent Pretraining::content() {
  CheckpointContent content = checkpoint_content(state_, trainer_, *data_);
  if (trainer_.notes() != nullptr) add_notes(trainer_.notes()->dictionary(), note_words_, content);
  return content;
}

void Pretraining::save() {
  runtime_.progress().region("tenfold::checkpoint::save");
  const auto start = Clock::now();
  if (reporter_) reporter_->flush();
  const SavedCheckpoint saved = checkpoints_.save(state_.step, content());
  if (manifest_) manifest_->set_checkpoints(saved.kept);
  seconds_checkpoint_ += seconds_since(start);
  for (const DamagedCheckpoint& each : saved.damaged) say(text("damaged: ", each.path, ": ", each.reason));
  say(text("saved ", saved.path, " (", static_cast<double>(saved.bytes) / mebi, " MiB)"));
}

void Pretraining::report_memory() {
  const auto used = static_cast<double>(peak_resident_bytes() - start_memory_);
  const double most = runtime_.world().all_reduce_max(used);
  say(text("memory a rank: ", most / mebi, " MiB at most (VmHWM less start-up), planned ",
           static_cast<double>(memory_.on_host(device_.kind())) / mebi, " MiB"));
}

void Pretraining::say(const std::string& words) {
  if (reporter_) reporter_->say(words);
}

}  // namespace tenfold

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
  expect_vocabulary(settings.objective, vocabulary);
  return std::move(*corpus);
}

Pretraining::Pretraining(const Settings& settings, Runtime& runtime,
                         const std::map<std::string, std::string>& library_versions)
    : settings_(settings),
      runtime_(runtime),
      grid_(runtime.world(), *settings.parallel.data, settings.parallel.tensor),
      watchdog_(runtime.world(), std::chrono::duration<double>(settings.parallel.stall_timeout)),
      corpus_(open_on_all_ranks(settings, runtime)),
      memory_(plan_that_fits(settings, agree(runtime.world(), [&] { return facts_of(corpus_); }), runtime.world())),
      peak_(measure_peak()),
      start_memory_(resident_bytes()),
      train_(packed(corpus_, Split::train, settings, runtime.world())),
      held_out_(packed(corpus_, Split::validation, settings, runtime.world())),
      folder_(open_folder()),
      checkpoints_(checkpoint_folder(settings), settings.checkpoint.keep, runtime.world()),
      arena_(queue_.device()),
      learner_(settings, corpus_.vocabulary_size(), arena_),
      notes_(make_notes()),
      reducer_(grid_.data(), learner_.parameters().gradients()),
      pipeline_(train_, settings, corpus_.vocabulary_size(), learner_.batch_shape(), grid_.data(), notes_.get()),
      validator_(held_out_, settings, corpus_.vocabulary_size(), grid_.data().rank(), grid_.data().size()) {
  state_.configuration = to_ini(settings, "pretrain");
  state_.corpus_digest = corpus_.digest();
  state_.tokenizer = corpus_.tokenizer_model();
  learner_.initialise(queue_);
  const std::vector<std::string> remarks = resume();
  checkpoints_.expect_room(content());
  start_reporting(library_versions);
  for (const std::string& each : remarks) say(each);
  queue_.observe([this](const char* label, bool begin) {
    if (begin) runtime_.progress().region(label);
    reducer_.poll();
    if (notes_) notes_->dictionary().poll();
  });
}

double Pretraining::measure_peak() {
  queue_.observe([this](const char* label, bool begin) {
    if (begin) runtime_.progress().region(label);
  });
  const double peak = measure_matmul_peak(queue_, compute_type(settings_), kernels::OperandLayout::packed, 2);
  reset_peak_resident_bytes();  // the operands are gone
  return runtime_.world().all_reduce_sum(peak);
}

std::unique_ptr<NoteTaker> Pretraining::make_notes() {
  if (!settings_.notes.enabled) return nullptr;
  const auto words = agree(runtime_.world(), [&] { return corpus_.rare_words(); });
  for (const RareWord& word : words) note_words_ += word.text + '\n';
  return std::make_unique<NoteTaker>(grid_.data(), settings_, static_cast<std::int64_t>(words.size()),
                                     learner_.batch_shape(), arena_);
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
    restore(*found.checkpoint, queue_, learner_);
    if (notes_) restore_notes(*found.checkpoint, notes_->dictionary());
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
                                            corpus_.digest(), learner_.parameters().count(), state_.step});
    const TraceHeader header{{{"configuration", state_.configuration}, {"version", text(version(), " ", git_commit())}},
                             {{"hosts", hosts}},
                             {{"seed", static_cast<std::int64_t>(settings_.run.seed)}}};
    reporter_ = std::make_unique<Reporter>(settings_, *folder_, header, learner_.objective(), resumed_at_, peak_);
  });
  say(text(resumed_at_ ? "resumed at step " : "new run at step ", state_.step, ": ", learner_.parameters().count(),
           " parameters, ", train_.count(), " sequences to train on, ", held_out_.count(), " held out, ",
           runtime_.world().size(), " ranks, micro-batch ", *settings_.data.micro_batch));
}

ExitCode Pretraining::run() {
  if (!resumed_at_) validate();
  if (state_.step < settings_.run.steps) pipeline_.start(state_.step + 1);
  bool stopping = false;
  while (state_.step < settings_.run.steps && !stopping) {
    const std::int64_t step = state_.step + 1;
    runtime_.progress().step(step);
    const StepRecord record = train_step(step);
    state_.step = step;
    state_.tokens += static_cast<std::int64_t>(record.counts.tokens);
    if (reporter_) reporter_->step(record);
    judge(record.result);
    const bool last = step == settings_.run.steps;
    if (step % settings_.parallel.replica_check_every == 0)
      check_replicas(grid_.data(), learner_.parameters().masters(), step);
    stopping = signals_.requested(runtime_.world());
    if (last || step % settings_.validation.every == 0) validate();
    if (last || stopping || step % settings_.checkpoint.every == 0) save();
  }
  report_memory();
  const ExitCode code = state_.step < settings_.run.steps ? ExitCode::stopped : ExitCode::done;
  if (code == ExitCode::stopped)
    say(text("stopped on request after step ", state_.step, "; continue with run.resume=auto"));
  if (reporter_) reporter_->finish(code == ExitCode::done ? "success" : "aborted");
  if (manifest_) manifest_->finish(static_cast<int>(code), state_.step);
  return code;
}

StepRecord Pretraining::train_step(std::int64_t step) {
  StepRecord record;
  record.step = step;
  record.seconds_checkpoint = std::exchange(seconds_checkpoint_, 0.0);
  record.learning_rate = learning_rate(settings_.optimizer, step, settings_.run.steps);
  const auto start = Clock::now();
  const std::span<const HostBatch> batches = pipeline_.advance(queue_, step == settings_.run.steps);
  record.seconds_data = seconds_since(start);
  const auto exchange = Clock::now();
  record.counts = all_reduce(grid_.data(), pipeline_.counts());
  const double seconds_counts = seconds_since(exchange);
  std::optional<StepDump> dump;
  if (step == settings_.debug.dump_step)
    dump.emplace(text(settings_.run.folder, "/dump-step-", step, ".h5"), step, state_.configuration, batches.front(),
                 learner_.batch_shape(), queue_, learner_);
  record.result =
      learner_.step(queue_, grid_.data(), reducer_, notes_.get(), batches, record.counts, step, record.learning_rate);
  if (dump) dump->finish(record.result, queue_, learner_);
  record.result.seconds_communication += seconds_counts;
  if (notes_) record.notes = sum_over_ranks(notes_->dictionary().take_statistics());
  record.flops = learner_.objective().training_flops(record.counts, progress(settings_, step));
  record.seconds = seconds_since(start);
  return record;
}

NoteStatistics Pretraining::sum_over_ranks(NoteStatistics mine) {
  std::array<double, 5> sums = {static_cast<double>(mine.looked_up), static_cast<double>(mine.updated),
                                static_cast<double>(mine.dropped), static_cast<double>(mine.bytes), mine.age};
  grid_.data().all_reduce_sum(std::span<double>(sums));
  const auto whole = [&](int i) { return static_cast<std::int64_t>(sums[static_cast<std::size_t>(i)]); };
  return {whole(0), whole(1), whole(2), whole(3), sums[4], mine.seconds_waited};
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
  const Validator::Result result = validator_.run(queue_, grid_.data(), learner_, notes_.get());
  std::optional<Validator::Result> without_notes;
  if (notes_) without_notes = validator_.run(queue_, grid_.data(), learner_, nullptr);
  if (reporter_) reporter_->validation(state_.step, state_.tokens, result, without_notes);
}

CheckpointContent Pretraining::content() {
  CheckpointContent content = checkpoint_content(state_, queue_, learner_, grid_.data());
  if (notes_) add_notes(notes_->dictionary(), note_words_, content);
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
           static_cast<double>(memory_.total()) / mebi, " MiB"));
}

void Pretraining::say(const std::string& words) {
  if (reporter_) reporter_->say(words);
}

}  // namespace tenfold

#include "training/memory.hpp"

#include <algorithm>
#include <fstream>
#include <string>

#include "kernels/device.hpp"
#include "parallel/agree.hpp"

namespace tenfold {

namespace {

/// The field of a file of /proc that holds lines such as "VmRSS: 1234 kB".
std::size_t bytes_of(const std::string& path, const std::string& field) {
  std::ifstream status(path);
  for (std::string word; status >> word;) {
    std::size_t kibibytes = 0;
    if (word == field && status >> kibibytes) return kibibytes * 1024;
  }
  throw Error(text(path, " has no ", field));
}

/// Seven copies of a step's rows on their way to and from the dictionary, and when each row was last updated.
std::int64_t note_bytes(const Settings& settings, const TextFacts& facts) {
  const double ranks = *settings.parallel.data;
  const double occurrences = facts.rare_share * settings.data.global_batch * settings.data.sequence_length / ranks;
  return static_cast<std::int64_t>(occurrences * 7 * sizeof(float) * settings.model.width +
                                   static_cast<double>(facts.rare_words) / ranks * 2 * sizeof(std::int64_t));
}

/// A sequence ends before the sentence that no longer fits: half a mean sentence of its T - 1 tokens stays empty, or
/// all are full where sentences are longer and are cut.
std::int64_t index_bytes(const TextFacts& facts, int sequence_length) {
  if (facts.tokens == 0) return 0;
  const double room = sequence_length - 1;
  const double sentence = static_cast<double>(facts.tokens) / static_cast<double>(facts.sentences);
  const double filled = sentence < room ? room - sentence / 2 : room;
  return static_cast<std::int64_t>(static_cast<double>(facts.tokens) / filled * sizeof(std::int64_t));
}

}  // namespace

TextFacts facts_of(const Corpus& corpus) {
  const std::int64_t tokens = corpus.tokens(Split::train);
  return {.vocabulary = corpus.vocabulary(),
          .rare_words = corpus.rare_keys(),
          .rare_share = static_cast<double>(corpus.rare_occurrences(Split::train)) / static_cast<double>(tokens),
          .tokens = tokens + corpus.tokens(Split::validation),
          .sentences = corpus.sentences(Split::train) + corpus.sentences(Split::validation)};
}

TextFacts facts_of_random(const Settings& settings) {
  return {.vocabulary = {settings.tokenizer.size()},
          .rare_words = RandomSequences::rare_keys,
          .rare_share = 1.0 / RandomSequences::rare_spacing,
          .tokens = 0,
          .sentences = 0};
}

PlannedTrainer::PlannedTrainer(const Settings& settings, const TextFacts& facts)
    : device_(kernels::make_device(DeviceKind::host, 0)),
      queue_(device_->make_queue()),
      tensors_(*device_, MemoryKind::device, Arena::Mode::plan),
      host_(*device_, MemoryKind::pinned, Arena::Mode::plan),
      data_(*settings.parallel.data),
      sequences_(facts.vocabulary, settings.data.sequence_length, settings.run.seed),
      trainer_(settings, {sequences_, facts.vocabulary, facts.rare_words}, data_, progress_, *queue_, tensors_, host_) {
}

MemoryPlan plan_memory(const Settings& settings, const TextFacts& facts) {
  // Code and tables that libraries bring in as they are used, chunks of open files, buffers of MPI: seen to be 12 to 24
  // MiB for models of 0.1 to 30 M parameters on one to four ranks.
  constexpr std::int64_t libraries = 18 << 20;
  PlannedTrainer trainer(settings, facts);
  std::int64_t largest_weight = 0;
  for (const Parameter& parameter : trainer->parameters().all())
    largest_weight = std::max(largest_weight, parameter.elements());
  return {.tensors = static_cast<std::int64_t>(trainer.tensors().bytes()),
          .host = static_cast<std::int64_t>(trainer.host().bytes()),
          .products = largest_weight * static_cast<std::int64_t>(size_of(compute_type(settings))),
          .reductions = trainer->reducer().bytes_under_way(),
          .notes = settings.notes.enabled ? note_bytes(settings, facts) : 0,
          .sequences = index_bytes(facts, settings.data.sequence_length),
          .fixed = libraries};
}

MemoryPlan plan_that_fits(const Settings& settings, const TextFacts& facts, MpiCommunicator& world) {
  const MemoryPlan plan = plan_memory(settings, facts);
  MpiCommunicator node = world.split_node();
  const std::int64_t needed = node.all_reduce_sum(plan.tensors + plan.host) + plan.sequences;
  agree(world, [&] {
    const std::string host = "/proc/meminfo";
    const auto available = static_cast<std::int64_t>(bytes_of(host, "MemAvailable:") + bytes_of(host, "SwapFree:"));
    if (needed > available)
      throw InputError(text("the tensors of the ranks on this host (", node.size(), ") need ", needed >> 20,
                            " MiB, and it has ", available >> 20,
                            " MiB free; lower data.micro_batch or the model's sizes, or use more hosts (tenfold plan "
                            "tells what takes how much)"));
  });
  return plan;
}

std::size_t resident_bytes() {
  return bytes_of("/proc/self/status", "VmRSS:");
}

void reset_peak_resident_bytes() {
  std::ofstream("/proc/self/clear_refs") << 5;
}

std::size_t peak_resident_bytes() {
  return bytes_of("/proc/self/status", "VmHWM:");
}

}  // namespace tenfold

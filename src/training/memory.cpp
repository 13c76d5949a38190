#include "training/memory.hpp"

#include <algorithm>
#include <fstream>
#include <string>

#include "base/host.hpp"
#include "kernels/device.hpp"
#include "parallel/agree.hpp"
#include "training/run_device.hpp"

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
    : device_(kernels::make_device(kind_of(settings.run.device), kernels::no_device)),
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
  constexpr std::int64_t on_gpu = 256 << 20;  // scratch of kernels, workspace of products, code; not yet seen on a card
  const bool gpu = settings.run.device == RunDevice::cuda;
  PlannedTrainer trainer(settings, facts);
  std::int64_t largest_weight = 0;
  for (const Parameter& parameter : trainer->parameters().all())
    largest_weight = std::max(largest_weight, parameter.elements());
  // What of weights and moments a rank of GPUs saves is in host memory while it does.
  const std::int64_t saved = gpu ? 3 * 4 * trainer->parameters().padded_size() / *settings.parallel.data : 0;
  return {.tensors = static_cast<std::int64_t>(trainer.tensors().bytes()) + (gpu ? on_gpu : 0),
          .host = static_cast<std::int64_t>(trainer.host().bytes()) + saved,
          .products = gpu ? 0 : largest_weight * static_cast<std::int64_t>(size_of(compute_type(settings))),
          .reductions = trainer->reducer().bytes_under_way(),
          .notes = settings.notes.enabled ? note_bytes(settings, facts) : 0,
          .sequences = index_bytes(facts, settings.data.sequence_length),
          .fixed = libraries};
}

namespace {

/// The largest micro-batch whose tensors a GPU of so many bytes holds, as advice; empty if none does.
std::string smaller_micro_batch(Settings settings, const TextFacts& facts, std::int64_t memory) {
  while (*settings.data.micro_batch > 1) {
    *settings.data.micro_batch /= 2;
    if (plan_memory(settings, facts).tensors <= memory)
      return text("data.micro_batch=", *settings.data.micro_batch, " would fit; or ");
  }
  return {};
}

/// InputError on all ranks if a GPU has not the free memory for the tensors of its ranks. Collective.
void expect_room_on_gpu(const Settings& settings, const TextFacts& facts, const MemoryPlan& plan,
                        const DeviceFacts& gpu, MpiCommunicator& world) {
  const std::vector<std::string> all = world.all_gather(gpu.identity);
  const std::int64_t room = gpu.free_memory / std::ranges::count(all, gpu.identity);
  agree(world, [&] {
    if (plan.tensors > room)
      throw InputError(text("the tensors of a rank need ", plan.tensors >> 20, " MiB, and the ", gpu.name, " on host ",
                            host_name(), " has ", room >> 20, " MiB free for it; ",
                            smaller_micro_batch(settings, facts, room), "lower the model's sizes"));
  });
}

}  // namespace

MemoryPlan plan_that_fits(const Settings& settings, const TextFacts& facts, const Device& device,
                          MpiCommunicator& world) {
  const MemoryPlan plan = plan_memory(settings, facts);
  const bool gpu = device.kind() == DeviceKind::cuda;
  if (gpu) expect_room_on_gpu(settings, facts, plan, device.facts(), world);
  MpiCommunicator node = world.split_node();
  const std::int64_t needed = node.all_reduce_sum(plan.host + (gpu ? 0 : plan.tensors)) + plan.sequences;
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

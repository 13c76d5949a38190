// `tenfold plan`: what a run will take, without running it.

#include <iomanip>
#include <iostream>

#include "commands/commands.hpp"
#include "training/memory.hpp"
#include "training/pretraining.hpp"

namespace tenfold {

void plan(const Settings& settings) {
  const TextFacts facts = settings.data.corpus.empty() ? facts_of_random(settings) : facts_of(open_corpus(settings));
  const MemoryPlan memory = plan_memory(settings, facts);
  PlannedTrainer trainer(settings, facts);
  const double sequences = settings.data.global_batch;
  const double length = settings.data.sequence_length;
  const Counts full{sequences, sequences * length, sequences * length * length,
                    sequences * length * settings.objective.mask_rate};
  const double ranks = *settings.parallel.data;
  const int share = settings.data.global_batch / *settings.parallel.data;
  const int micro_batches = (share + *settings.data.micro_batch - 1) / *settings.data.micro_batch;
  const double gradient_bytes = 4.0 * static_cast<double>(trainer->parameters().padded_size());
  constexpr double mebi = 1024.0 * 1024.0;
  const auto in_mebi = [](std::int64_t bytes) { return static_cast<double>(bytes) / mebi; };
  std::cout << std::fixed << std::setprecision(1)  //
            << "parameters              " << trainer->parameters().count() << '\n'
            << "memory a rank           " << in_mebi(memory.total()) << " MiB: tensors " << in_mebi(memory.tensors)
            << ", batches and note table " << in_mebi(memory.host) << ", packed weights " << in_mebi(memory.products)
            << ", gradients under way " << in_mebi(memory.reductions) << ", notes under way " << in_mebi(memory.notes)
            << ", index of the corpus " << in_mebi(memory.sequences) << " (once a node), the rest "
            << in_mebi(memory.fixed) << '\n'
            << "micro-batch             " << *settings.data.micro_batch << " full sequences, at most " << micro_batches
            << " a step and rank\n"
            << "FLOPs a step            " << trainer->objective().training_flops(full, 0.5) / 1e9
            << " G of all ranks (full sequences; matrix products; 3 x forward, draws of answers once)\n"
            << "repeated a step         " << (micro_batches * ranks - 1.0) * trainer->objective().fixed_flops() / 1e9
            << " G more, fixed costs of every micro-batch after the first (position scores, projected token table)\n"
            << "communicated a step     " << 2.0 * gradient_bytes * (ranks - 1.0) / ranks / mebi
            << " MiB sent by each rank (ring all-reduce of the gradients)\n";
  if (!settings.notes.enabled) return;
  const double occurrences = facts.rare_share * full.tokens;
  const double row = 4.0 * settings.model.width;
  const double bytes = sizeof(std::int32_t) + row + sizeof(NoteSource) + row;  // asked for, answered, contributed
  std::cout << "rare words a step       " << occurrences << " occurrences"
            << (settings.data.corpus.empty() ? ", assumed for want of data.corpus\n" : "\n")
            << "notes a step            " << std::setprecision(3)
            << occurrences / ranks * bytes * (ranks - 1.0) / ranks / mebi
            << " MiB sent by each rank, if no occurrence is masked\n";
}

}  // namespace tenfold

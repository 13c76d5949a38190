#pragma once
// Memory of a rank: what a run will take, and what this process has taken, from /proc/self/status.

#include <cstddef>
#include <cstdint>

#include "config/settings.hpp"
#include "io/corpus.hpp"
#include "parallel/mpi_communicator.hpp"

namespace tenfold {

/// What a plan must know of the text.
struct TextFacts {
  int vocabulary;
  std::int64_t rare_words;
  double rare_share;    ///< their occurrences a token
  std::int64_t tokens;  ///< 0: not known
  std::int64_t sentences;
};
TextFacts facts_of(const Corpus& corpus);
/// Of the random sequences that `tenfold bench` trains on.
TextFacts facts_of_random(const Settings& settings);

/// Bytes of a rank beyond what a process has when it starts.
struct MemoryPlan {
  std::int64_t tensors;     ///< of the arena
  std::int64_t batches;     ///< of this step and the next, as the host makes them
  std::int64_t products;    ///< the largest weight once more, as products read it
  std::int64_t reductions;  ///< gradients under way between ranks
  std::int64_t notes;       ///< on their way between ranks, beside the dictionary's tensors
  std::int64_t sequences;   ///< where every sequence of the corpus begins: once for all ranks of a node
  std::int64_t fixed;       ///< what grows with none of these
  std::int64_t total() const { return tensors + batches + products + reductions + notes + sequences + fixed; }
};

/// `settings` resolved.
MemoryPlan plan_memory(const Settings& settings, const TextFacts& facts);

/// The same, before a run: InputError on all ranks if a host has not the free memory for its ranks' tensors and batches
/// (a smaller limit that a batch system sets is not seen). Collective.
MemoryPlan plan_that_fits(const Settings& settings, const TextFacts& facts, MpiCommunicator& world);

std::size_t resident_bytes();       ///< VmRSS: now
std::size_t peak_resident_bytes();  ///< VmHWM: the most since the start or the last reset
void reset_peak_resident_bytes();   ///< to what is resident now; where the kernel refuses, the old peak stays

}  // namespace tenfold

#pragma once
// Memory of a rank: what a run will take, and what this process has taken, from /proc/self/status.

#include <cstddef>
#include <cstdint>

#include "config/settings.hpp"
#include "io/corpus.hpp"
#include "parallel/mpi_communicator.hpp"
#include "parallel/planned_communicator.hpp"
#include "training/trainer.hpp"

namespace tenfold {

/// What a plan must know of the text.
struct TextFacts {
  Vocabulary vocabulary;
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
  std::int64_t tensors;     ///< of the device
  std::int64_t host;        ///< batches of this step and the next, as the host makes them, and the note table
  std::int64_t products;    ///< the largest weight once more, as products read it
  std::int64_t reductions;  ///< gradients under way between ranks
  std::int64_t notes;       ///< on their way between ranks, beside the dictionary's tensors
  std::int64_t sequences;   ///< where every sequence of the corpus begins: once for all ranks of a node
  std::int64_t fixed;       ///< what grows with none of these
  /// Of the host's memory, where tensors lie on that device.
  std::int64_t on_host(DeviceKind device) const { return total() - (device == DeviceKind::host ? 0 : tensors); }
  std::int64_t total() const { return tensors + host + products + reductions + notes + sequences + fixed; }
};

/// The trainer of a run that takes no memory, on rank 0 of its data ranks. `settings` resolved.
class PlannedTrainer {
 public:
  PlannedTrainer(const Settings& settings, const TextFacts& facts);
  Trainer& operator*() { return trainer_; }
  Trainer* operator->() { return &trainer_; }
  const Arena& tensors() const { return tensors_; }
  const Arena& host() const { return host_; }

 private:
  std::unique_ptr<Device> device_;
  std::unique_ptr<Queue> queue_;
  Arena tensors_, host_;
  PlannedCommunicator data_;
  Progress progress_;
  RandomSequences sequences_;
  Trainer trainer_;
};

/// `settings` resolved.
MemoryPlan plan_memory(const Settings& settings, const TextFacts& facts);

/// The same, before a run: InputError on all ranks if a host has not the free memory for its ranks' tensors and batches
/// (a smaller limit that a batch system sets is not seen), or a GPU for the tensors. Collective.
MemoryPlan plan_that_fits(const Settings& settings, const TextFacts& facts, const Device& device,
                          MpiCommunicator& world);

std::size_t resident_bytes();       ///< VmRSS: now
std::size_t peak_resident_bytes();  ///< VmHWM: the most since the start or the last reset
void reset_peak_resident_bytes();   ///< to what is resident now; where the kernel refuses, the old peak stays

}  // namespace tenfold

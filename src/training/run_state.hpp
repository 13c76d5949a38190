#pragma once
// What a checkpoint of a run holds, to and from the trainer: weights and both moments as logical tensors by parameter
// name, so that any number of ranks can take them up again.

#include <string>

#include "io/checkpoint.hpp"
#include "training/loaded_checkpoint.hpp"
#include "training/trainer.hpp"

namespace tenfold {

/// Everything of a run that is not in the trainer. The data position follows from the step.
struct RunState {
  std::int64_t step = 0;     ///< optimizer steps done
  std::int64_t tokens = 0;   ///< real tokens seen
  std::int64_t skipped = 0;  ///< steps skipped for a loss or gradient that was not finite
  std::int64_t skipped_in_row = 0;
  std::string configuration;  ///< INI text
  std::string corpus_digest;
  std::string tokenizer;  ///< SentencePiece model
};

/// This rank's share of a checkpoint; the trainer's memory must stay as it is while it is written.
CheckpointContent checkpoint_content(const RunState& state, Trainer& trainer, const Communicator& data);
/// The same of a run with notes, `words` by key; the dictionary too must stay as it is. Collective.
void add_notes(NoteDictionary& dictionary, const std::string& words, CheckpointContent& content);

// What follows is collective: the checkpoint goes from rank to rank.

/// The state of a checkpoint, without the trainer's.
RunState read_run_state(LoadedCheckpoint& checkpoint);

/// Fills the trainer. Throws Error when the checkpoint lacks a tensor or has it in another shape.
void restore(LoadedCheckpoint& checkpoint, Trainer& trainer);
void restore_notes(LoadedCheckpoint& checkpoint, NoteDictionary& dictionary);

}  // namespace tenfold

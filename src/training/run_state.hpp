#pragma once
// What a checkpoint of a run holds, to and from the learner: weights and both moments as logical tensors by parameter
// name, so that any number of ranks can take them up again.

#include <string>

#include "io/checkpoint.hpp"
#include "training/note_taker.hpp"
#include "training/trainer.hpp"

namespace tenfold {

/// Everything of a run that is not in the learner. The data position follows from the step.
struct RunState {
  std::int64_t step = 0;     ///< optimizer steps done
  std::int64_t tokens = 0;   ///< real tokens seen
  std::int64_t skipped = 0;  ///< steps skipped for a loss or gradient that was not finite
  std::int64_t skipped_in_row = 0;
  std::string configuration;  ///< INI text
  std::string corpus_digest;
  std::string tokenizer;  ///< SentencePiece model
};

/// This rank's share of a checkpoint; the learner's memory and the snapshot must stay as they are while it is written.
/// `words`: of the note dictionary by key, in a run with notes.
CheckpointContent checkpoint_content(const RunState& state, Queue& queue, Trainer& trainer, const Communicator& data);
void add_notes(const NoteSnapshot& snapshot, const NoteDictionary& dictionary, const std::string& words,
               CheckpointContent& content);

/// The state of a checkpoint, without the learner's.
RunState read_run_state(const Checkpoint& checkpoint);

/// Fills the learner. Throws Error when the checkpoint lacks a tensor or has it in another shape.
void restore(const Checkpoint& checkpoint, Queue& queue, Trainer& trainer);
void restore_notes(const Checkpoint& checkpoint, NoteDictionary& dictionary);

}  // namespace tenfold

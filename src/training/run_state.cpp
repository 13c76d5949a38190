#include "training/run_state.hpp"

#include <algorithm>
#include <array>

namespace tenfold {

namespace {

struct Flat {
  const char* prefix;
  Tensor values;
};

std::array<Flat, 3> flat_buffers(Trainer& trainer) {
  return {{{"weights/", trainer.parameters().masters()},
           {"first_moment/", trainer.optimizer().first_moment()},
           {"second_moment/", trainer.optimizer().second_moment()}}};
}

/// The part of a parameter that lies in this rank's share of the flat buffer.
std::vector<TensorPiece> piece_in(const Parameter& parameter, const Tensor& flat, std::int64_t begin,
                                  std::int64_t end) {
  const std::int64_t first = std::max(begin, parameter.offset);
  const std::int64_t last = std::min(end, parameter.offset + parameter.elements());
  if (first >= last) return {};
  return {{first - parameter.offset, flat.rows(first, last - first).raw(), last - first}};
}

}  // namespace

CheckpointContent checkpoint_content(const RunState& state, Queue& queue, Trainer& trainer, const Communicator& data) {
  CheckpointContent content;
  const std::int64_t size = trainer.parameters().padded_size();
  const std::int64_t begin = size * data.rank() / data.size();
  const std::int64_t end = size * (data.rank() + 1) / data.size();
  for (const Flat& flat : flat_buffers(trainer))
    for (const Parameter& parameter : trainer.parameters().all())
      content.tensors.push_back(
          {flat.prefix + parameter.name, parameter.shape, piece_in(parameter, flat.values, begin, end)});
  content.integers = {{"step", state.step},
                      {"tokens", state.tokens},
                      {"skipped", state.skipped},
                      {"skipped_in_row", state.skipped_in_row},
                      {"updates", trainer.optimizer().updates(queue)}};
  content.texts = {{"configuration", state.configuration}, {"corpus_digest", state.corpus_digest}};
  content.bytes = {{"tokenizer", state.tokenizer}};
  return content;
}

RunState read_run_state(const Checkpoint& checkpoint) {
  return {checkpoint.integer("step"),           checkpoint.integer("tokens"),     checkpoint.integer("skipped"),
          checkpoint.integer("skipped_in_row"), checkpoint.text("configuration"), checkpoint.text("corpus_digest"),
          checkpoint.bytes("tokenizer")};
}

void restore(const Checkpoint& checkpoint, Queue& queue, Trainer& trainer) {
  std::vector<float> values;
  for (const Flat& flat : flat_buffers(trainer)) {
    for (const Parameter& parameter : trainer.parameters().all()) {
      const std::string name = flat.prefix + parameter.name;
      TENFOLD_VERIFY(checkpoint.has_tensor(name) && checkpoint.shape(name) == parameter.shape, "the checkpoint has no ",
                     name, " of shape ", parameter.shape.describe());
      values.resize(static_cast<std::size_t>(parameter.elements()));
      checkpoint.read(name, 0, std::span(values));
      queue.copy_in(values.data(), Parameters::slice(flat.values, parameter.offset, parameter.shape));
    }
  }
  trainer.optimizer().set_updates(queue, checkpoint.integer("updates"));
  trainer.parameters().refresh(queue);
}

void add_notes(const NoteSnapshot& snapshot, const NoteDictionary& dictionary, const std::string& words,
               CheckpointContent& content) {
  const auto count = static_cast<std::int64_t>(snapshot.updates.size());
  const std::int64_t width = dictionary.width();
  const auto pieces = [&](const void* data, std::int64_t elements) {
    return count == 0 ? std::vector<TensorPiece>{}
                      : std::vector<TensorPiece>{{snapshot.first * elements, data, count * elements}};
  };
  content.tensors.push_back({"notes/rows", {dictionary.keys(), width}, pieces(snapshot.rows.data(), width)});
  content.tensors.push_back({"notes/updates", {dictionary.keys()}, pieces(snapshot.updates.data(), 1), DType::i64});
  content.tensors.push_back(
      {"notes/last_steps", {dictionary.keys()}, pieces(snapshot.last_steps.data(), 1), DType::i64});
  content.texts["note_words"] = words;
}

void restore_notes(const Checkpoint& checkpoint, NoteDictionary& dictionary) {
  TENFOLD_VERIFY(checkpoint.has_tensor("notes/rows") &&
                     checkpoint.shape("notes/rows") == Shape({dictionary.keys(), dictionary.width()}),
                 "the checkpoint has no note dictionary of ", dictionary.keys(), " words");
  dictionary.restore([&](std::int64_t first, std::span<float> rows, std::span<std::int64_t> updates,
                         std::span<std::int64_t> last_steps) {
    checkpoint.read("notes/rows", first * dictionary.width(), rows);
    checkpoint.read("notes/updates", first, updates);
    checkpoint.read("notes/last_steps", first, last_steps);
  });
}

}  // namespace tenfold

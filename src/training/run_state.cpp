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

/// Where element `share.first` of a flat buffer lies in host memory; what lies elsewhere is copied.
const float* on_host(Queue& queue, const Tensor& flat, const Parameters::Share& share, CheckpointContent& content) {
  const Tensor part = flat.rows(share.first, share.last - share.first);
  if (part.device() == DeviceKind::host) return static_cast<const float*>(part.raw());
  std::vector<float>& copy = content.copies.emplace_back(static_cast<std::size_t>(part.elements()));
  queue.copy_out(part, copy.data());
  return copy.data();
}

}  // namespace

CheckpointContent checkpoint_content(const RunState& state, Trainer& trainer, const Communicator& data) {
  CheckpointContent content;
  const Parameters& parameters = trainer.parameters();
  const Parameters::Share share = parameters.share(data.rank(), data.size());
  for (const Flat& flat : flat_buffers(trainer)) {
    const float* first = on_host(trainer.queue(), flat.values, share, content);
    for (const Parameter& parameter : parameters.all()) {
      CheckpointTensor& tensor = content.tensors.emplace_back();
      tensor.name = flat.prefix + parameter.name;
      tensor.shape = parameter.shape;
      const auto [begin, end] = parameters.part(parameter, share);
      tensor.pieces = pieces_of(parameter.local, parameter.start.extents(), begin, end - begin,
                                first + (parameter.offset + begin - share.first), DType::f32);
    }
  }
  content.integers = {{"step", state.step},
                      {"tokens", state.tokens},
                      {"skipped", state.skipped},
                      {"skipped_in_row", state.skipped_in_row},
                      {"updates", trainer.optimizer().updates(trainer.queue())}};
  content.texts = {{"configuration", state.configuration}, {"corpus_digest", state.corpus_digest}};
  content.bytes = {{"tokenizer", state.tokenizer}};
  return content;
}

RunState read_run_state(LoadedCheckpoint& checkpoint) {
  return {checkpoint.integer("step"),           checkpoint.integer("tokens"),     checkpoint.integer("skipped"),
          checkpoint.integer("skipped_in_row"), checkpoint.text("configuration"), checkpoint.text("corpus_digest"),
          checkpoint.bytes("tokenizer")};
}

void restore(LoadedCheckpoint& checkpoint, Trainer& trainer) {
  std::vector<float> values;
  for (const Flat& flat : flat_buffers(trainer)) {
    for (const Parameter& parameter : trainer.parameters().all()) {
      const std::string name = flat.prefix + parameter.name;
      TENFOLD_VERIFY(checkpoint.has_tensor(name) && checkpoint.shape(name) == parameter.shape, "the checkpoint has no ",
                     name, " of shape ", parameter.shape.describe());
      values.resize(static_cast<std::size_t>(parameter.elements()));
      checkpoint.read(name, 0, std::span(values));
      trainer.queue().copy_in(values.data(), Parameters::slice(flat.values, parameter.offset, parameter.shape));
    }
  }
  trainer.optimizer().set_updates(trainer.queue(), checkpoint.integer("updates"));
  trainer.parameters().refresh(trainer.queue());
}

void add_notes(NoteDictionary& dictionary, const std::string& words, CheckpointContent& content) {
  const NoteShare share = dictionary.share();
  const auto count = static_cast<std::int64_t>(share.updates.size());
  const auto add = [&](const char* name, const Shape& shape, const void* data, DType type) {
    CheckpointTensor tensor{.name = name, .shape = shape, .pieces = {}, .type = type, .interleaved = true};
    tensor.pieces = pieces_of(shape.with_rows(count), {}, 0, shape.with_rows(count).elements(), data, type);
    for (TensorPiece& piece : tensor.pieces) {
      piece.slab.start[0] = static_cast<hdf5::Size>(share.first);
      piece.slab.row_step = static_cast<hdf5::Size>(share.step);
    }
    content.tensors.push_back(std::move(tensor));
  };
  add("notes/rows", {dictionary.keys(), dictionary.width()}, share.rows.data(), DType::f32);
  add("notes/updates", {dictionary.keys()}, share.updates.data(), DType::i64);
  add("notes/last_steps", {dictionary.keys()}, share.last_steps.data(), DType::i64);
  content.texts["note_words"] = words;
}

void restore_notes(LoadedCheckpoint& checkpoint, NoteDictionary& dictionary) {
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

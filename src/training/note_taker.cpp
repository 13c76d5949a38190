#include "training/note_taker.hpp"

#include <algorithm>

namespace tenfold {

namespace {

/// Most rare-word occurrences of a rank's share of a step.
std::int64_t step_occurrences(const Settings& settings, const BatchShape& shape) {
  return settings.data.global_batch / *settings.parallel.data / shape.sequences * note_capacity(shape);
}

/// Most rows that a rank asks for in a step.
std::int64_t step_capacity(const Settings& settings, std::int64_t keys, const BatchShape& shape) {
  return std::min(keys, step_occurrences(settings, shape));
}

std::int64_t look_up_capacity(std::int64_t keys, const BatchShape& shape) {
  return std::min(keys, note_capacity(shape));
}

}  // namespace

NoteTaker::NoteTaker(Communicator& data, const Settings& settings, std::int64_t keys, const BatchShape& shape,
                     Arena& arena)
    : dictionary_(data, keys, settings.model.width, static_cast<float>(settings.notes.update_rate),
                  step_capacity(settings, keys, shape), settings.run.seed, arena),
      width_(settings.model.width),
      looked_up_(arena.allocate(DType::f32, {look_up_capacity(keys, shape), settings.model.width})) {
  const auto occurrences = static_cast<std::size_t>(step_occurrences(settings, shape));
  keys_.reserve(occurrences);
  sources_.reserve(occurrences);
  vectors_.reserve(occurrences * static_cast<std::size_t>(width_));
}

void NoteTaker::plan(Arena& arena, const Settings& settings, std::int64_t keys, const BatchShape& shape) {
  NoteDictionary::plan(arena, keys, settings.model.width, step_capacity(settings, keys, shape),
                       *settings.parallel.data);
  arena.allocate(DType::f32, {look_up_capacity(keys, shape), settings.model.width});
}

void NoteTaker::gather_keys(std::span<HostBatch> batches) {
  keys_.clear();
  for (const HostBatch& batch : batches) keys_.insert(keys_.end(), batch.notes.keys.begin(), batch.notes.keys.end());
  std::ranges::sort(keys_);
  keys_.erase(std::unique(keys_.begin(), keys_.end()), keys_.end());
  for (HostBatch& batch : batches) {
    batch.notes.slots.clear();
    for (std::int32_t key : batch.notes.keys)
      batch.notes.slots.push_back(static_cast<std::int32_t>(std::ranges::lower_bound(keys_, key) - keys_.begin()));
  }
}

void NoteTaker::request(std::span<HostBatch> batches) {
  gather_keys(batches);
  dictionary_.request(keys_);
}

void NoteTaker::collect(Queue& queue, const HostNotes& host, const NoteBatch& batch) {
  const std::size_t count = host.sources.size();
  if (count == 0) return;
  const std::size_t old = vectors_.size();
  vectors_.resize(old + count * static_cast<std::size_t>(width_));
  queue.copy_out(batch.pooled.rows(0, static_cast<std::int64_t>(count)), vectors_.data() + old);
  sources_.insert(sources_.end(), host.sources.begin(), host.sources.end());
}

void NoteTaker::contribute(std::int64_t step) {
  dictionary_.contribute(step, sources_, vectors_);
  sources_.clear();
  vectors_.clear();
}

const Tensor& NoteTaker::look_up(Queue& queue, HostBatch& batch) {
  gather_keys({&batch, 1});
  dictionary_.look_up(queue, keys_, looked_up_);
  return looked_up_;
}

}  // namespace tenfold

#include "training/note_taker.hpp"

#include <algorithm>

#include "kernels/notes.hpp"

namespace tenfold {

NoteTaker::NoteTaker(Communicator& data, const Settings& settings, std::int64_t keys, std::size_t micro_batches,
                     Arena& host, Arena& device)
    : dictionary_(data, keys, settings.model.width, static_cast<float>(settings.notes.update_rate),
                  std::min(keys, static_cast<std::int64_t>(micro_batches) * note_capacity(batch_budget(settings))),
                  host, device),
      width_(settings.model.width) {
  const std::int64_t occurrences = note_capacity(batch_budget(settings));
  looked_up_ = device.allocate(DType::f32, {std::min(keys, occurrences), width_});
  pooled_ = device.allocate(DType::f32, {occurrences, width_});
  if (host.planning()) return;
  const auto of_step = micro_batches * static_cast<std::size_t>(occurrences);
  keys_.reserve(of_step);
  sources_.reserve(of_step);
  vectors_.reserve(of_step * static_cast<std::size_t>(width_));
}

void NoteTaker::gather_keys(std::span<HostBatch> batches) {
  keys_.clear();
  for (const HostBatch& batch : batches) keys_.insert(keys_.end(), batch.keys.begin(), batch.keys.end());
  std::ranges::sort(keys_);
  keys_.erase(std::unique(keys_.begin(), keys_.end()), keys_.end());
  for (const HostBatch& batch : batches)
    std::ranges::transform(batch.keys, batch.ints(BatchLayout::note_slots).begin(), [&](std::int32_t key) {
      return static_cast<std::int32_t>(std::ranges::lower_bound(keys_, key) - keys_.begin());
    });
}

void NoteTaker::request(std::span<HostBatch> batches) {
  gather_keys(batches);
  dictionary_.request(keys_);
}

void NoteTaker::collect(Queue& queue, const Tensor& hidden, const HostBatch& host, const DeviceBatch& batch) {
  kernels::pool_windows(queue, hidden, batch.window_begin, batch.window_end, batch.windows, pooled_);
  const std::size_t count = host.sources.size();
  if (count == 0) return;
  const std::size_t old = vectors_.size();
  vectors_.resize(old + count * static_cast<std::size_t>(width_));
  queue.copy_out(pooled_.rows(0, static_cast<std::int64_t>(count)), vectors_.data() + old);
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

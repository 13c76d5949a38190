#include "training/batches.hpp"

#include <algorithm>
#include <array>

namespace tenfold {

HostBatch::HostBatch(const BatchShape& shape)
    : tokens(static_cast<std::size_t>(shape.rows())),
      original(tokens.size()),
      lengths(static_cast<std::size_t>(shape.sequences)),
      selected_rows(static_cast<std::size_t>(shape.selected)),
      labels(selected_rows.size()),
      samples(lengths.size()) {}

BatchBuilder::BatchBuilder(const Sequences& sequences, const ObjectiveSettings& objective, int vocabulary,
                           const BatchShape& shape, std::uint64_t mask_key)
    : sequences_(sequences), objective_(objective), vocabulary_(vocabulary), shape_(shape), mask_key_(mask_key) {}

void BatchBuilder::build(std::span<const Sample> samples, HostBatch& batch) {
  TENFOLD_VERIFY(static_cast<std::int64_t>(samples.size()) <= shape_.sequences, samples.size(), " samples");
  std::fill(batch.original.begin(), batch.original.end(), pad_token);
  std::fill(batch.lengths.begin(), batch.lengths.end(), 1);
  std::fill(batch.samples.begin(), batch.samples.end(), 0);
  std::fill(batch.labels.begin(), batch.labels.end(), 0);
  std::fill(batch.selected_rows.begin(), batch.selected_rows.end(), 0);
  const auto t = static_cast<std::size_t>(shape_.length);
  for (std::size_t b = 0; b < samples.size(); ++b) {
    batch.samples[b] = samples[b].index;
    batch.lengths[b] = static_cast<std::int32_t>(
        sequences_.read(samples[b].sequence, std::span(batch.original).subspan(b * t, t)));
  }
  batch.tokens = batch.original;
  std::size_t rows = 0;
  for (std::size_t b = 0; b < samples.size(); ++b) {
    const auto tokens = std::span(batch.tokens).subspan(b * t, static_cast<std::size_t>(batch.lengths[b]));
    mask_sequence(tokens, objective_, vocabulary_,
                  RandomSequence(mask_key_, samples[b].epoch, static_cast<std::uint64_t>(samples[b].sequence)), selected_);
    for (std::int32_t position : selected_) {
      const auto row = b * t + static_cast<std::size_t>(position);
      batch.selected_rows[rows] = static_cast<std::int32_t>(row);
      batch.labels[rows++] = batch.original[row];
    }
  }
  batch.selected = static_cast<std::int32_t>(rows);
}

void count(const HostBatch& batch, std::size_t sequences, Counts& counts) {
  for (std::size_t b = 0; b < sequences; ++b) {
    const double length = batch.lengths[b];
    counts.sequences += 1;
    counts.tokens += length;
    counts.squares += length * length;
  }
  counts.selected += batch.selected;
}

Counts all_reduce(Communicator& communicator, const Counts& counts) {
  std::array<double, 4> sums{counts.sequences, counts.tokens, counts.squares, counts.selected};
  communicator.all_reduce_sum(std::span<double>(sums));
  return {sums[0], sums[1], sums[2], sums[3]};
}

Batch allocate_batch(Arena& arena, const BatchShape& shape) {
  const auto integers = [&](std::int64_t n) { return arena.allocate(DType::i32, {n}); };
  Batch batch;
  batch.tokens = integers(shape.rows());
  batch.original = integers(shape.rows());
  batch.lengths = integers(shape.sequences);
  batch.samples = arena.allocate(DType::i64, {shape.sequences});
  batch.selected_rows = integers(shape.selected);
  batch.labels = integers(shape.selected);
  batch.selected = integers(1);
  batch.step = arena.allocate(DType::i64, {1});
  batch.weight_mlm = arena.allocate(DType::f32, {1});
  return batch;
}

void copy_in(Queue& queue, const HostBatch& host, const Batch& batch) {
  queue.copy_in(host.tokens.data(), batch.tokens);
  queue.copy_in(host.original.data(), batch.original);
  queue.copy_in(host.lengths.data(), batch.lengths);
  queue.copy_in(host.samples.data(), batch.samples);
  queue.copy_in(host.selected_rows.data(), batch.selected_rows);
  queue.copy_in(host.labels.data(), batch.labels);
  queue.copy_in(&host.selected, batch.selected);
}

SampleSchedule::SampleSchedule(std::int64_t sequences, std::uint64_t seed, int global_batch, int rank, int ranks)
    : order_(sequences, seed), sequences_(sequences), global_batch_(global_batch), rank_(rank), ranks_(ranks) {}

void SampleSchedule::samples(std::int64_t step, std::vector<Sample>& out) const {
  const int share = global_batch_ / ranks_;
  out.clear();
  for (int i = 0; i < share; ++i) {
    const std::int64_t index = (step - 1) * global_batch_ + rank_ * share + i;
    const std::int64_t epoch = index / sequences_;
    out.push_back({index, order_.at(epoch, index % sequences_), static_cast<std::uint32_t>(epoch)});
  }
}

double SampleSchedule::epochs(std::int64_t step) const {
  return static_cast<double>(step) * global_batch_ / static_cast<double>(sequences_);
}

}  // namespace tenfold

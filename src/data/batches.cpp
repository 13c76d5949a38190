#include "data/batches.hpp"

#include <algorithm>
#include <array>

namespace tenfold {

HostBatch::HostBatch(const BatchShape& shape, bool rare_words)
    : tokens(static_cast<std::size_t>(shape.rows())),
      original(tokens.size()),
      lengths(static_cast<std::size_t>(shape.sequences)),
      selected_rows(static_cast<std::size_t>(shape.selected)),
      labels(selected_rows.size()),
      samples(lengths.size()),
      neighbourhoods(selected_rows.size()) {
  if (!rare_words) return;
  const auto most = static_cast<std::size_t>(note_capacity(shape));
  for (auto* integers : {&notes.begin, &notes.end, &notes.keys, &notes.slots, &notes.window_begin, &notes.window_end})
    integers->reserve(most);
  notes.sources.reserve(most);
}

std::int64_t host_bytes(const BatchShape& shape, bool rare_words) {
  constexpr std::int64_t a_token = 2 * sizeof(std::int32_t), a_sequence = sizeof(std::int32_t) + sizeof(std::int64_t);
  constexpr std::int64_t a_selected = 2 * sizeof(std::int32_t) + sizeof(Neighbourhood);
  constexpr std::int64_t a_rare_word = 6 * sizeof(std::int32_t) + sizeof(NoteSource);
  return shape.rows() * a_token + shape.sequences * a_sequence + shape.selected * a_selected +
         (rare_words ? note_capacity(shape) * a_rare_word : 0);
}

std::int64_t note_capacity(const BatchShape& shape) {
  return std::max<std::int64_t>(shape.rows() / 2, 1);
}

BatchBuilder::BatchBuilder(const Sequences& sequences, const Settings& settings, int vocabulary,
                           const BatchShape& shape, std::uint64_t mask_key, bool rare_words)
    : sequences_(sequences),
      objective_(settings.objective),
      notes_(settings.notes),
      rare_words_(rare_words),
      vocabulary_(vocabulary),
      shape_(shape),
      mask_key_(mask_key) {
  selected_.reserve(static_cast<std::size_t>(shape.length));
  words_.reserve(static_cast<std::size_t>(shape.length));
}

void BatchBuilder::build(std::span<const Sample> samples, HostBatch& batch) {
  TENFOLD_VERIFY(static_cast<std::int64_t>(samples.size()) <= shape_.sequences, samples.size(), " samples");
  std::fill(batch.original.begin(), batch.original.end(), pad_token);
  std::fill(batch.lengths.begin(), batch.lengths.end(), 0);
  std::fill(batch.samples.begin(), batch.samples.end(), 0);
  std::fill(batch.labels.begin(), batch.labels.end(), 0);
  std::fill(batch.selected_rows.begin(), batch.selected_rows.end(), 0);
  HostNotes& notes = batch.notes;
  for (auto* integers : {&notes.begin, &notes.end, &notes.keys, &notes.window_begin, &notes.window_end})
    integers->clear();
  notes.sources.clear();
  const auto t = static_cast<std::size_t>(shape_.length);
  for (std::size_t b = 0; b < samples.size(); ++b) {
    batch.samples[b] = samples[b].index;
    batch.lengths[b] =
        static_cast<std::int32_t>(sequences_.read(samples[b].sequence, std::span(batch.original).subspan(b * t, t)));
  }
  batch.tokens = batch.original;
  std::size_t rows = 0;
  for (std::size_t b = 0; b < samples.size(); ++b) {
    const auto tokens = std::span(batch.tokens).subspan(b * t, static_cast<std::size_t>(batch.lengths[b]));
    mask_sequence(tokens, objective_, vocabulary_,
                  RandomSequence(mask_key_, samples[b].epoch, static_cast<std::uint64_t>(samples[b].sequence)),
                  selected_);
    const std::size_t first = rows;
    for (std::int32_t position : selected_) {
      const auto row = b * t + static_cast<std::size_t>(position);
      batch.selected_rows[rows] = static_cast<std::int32_t>(row);
      batch.labels[rows++] = batch.original[row];
    }
    if (rare_words_) find_rare_words(samples[b], b, first, batch);
  }
  batch.selected = static_cast<std::int32_t>(rows);
}

void BatchBuilder::find_rare_words(const Sample& sample, std::size_t b, std::size_t first_selected, HostBatch& batch) {
  sequences_.rare_words(sample.sequence, words_);
  const auto neighbourhoods = std::span(batch.neighbourhoods).subspan(first_selected, selected_.size());
  std::ranges::fill(neighbourhoods,
                    words_.empty() ? Neighbourhood::no_rare_word : Neighbourhood::sequence_with_rare_word);
  const auto offset = static_cast<std::int32_t>(static_cast<std::int64_t>(b) * shape_.length);
  HostNotes& notes = batch.notes;
  for (const RareOccurrence& word : words_) {
    const auto begin = static_cast<std::int32_t>(word.begin);
    const auto end = static_cast<std::int32_t>(word.end);
    const std::int32_t window_begin = std::max(begin - *notes_.window, 0);
    const std::int32_t window_end = std::min(end + *notes_.window, batch.lengths[b]);
    const auto first = std::ranges::lower_bound(selected_, begin);
    const bool hidden = first != selected_.end() && *first < end;  // the leak rule: a note would name the word
    const auto touched = [&](int from, int to, Neighbourhood kind) {
      for (std::size_t i = 0; i < selected_.size(); ++i)
        if (selected_[i] >= from && selected_[i] < to) neighbourhoods[i] = std::max(neighbourhoods[i], kind);
    };
    touched(window_begin, window_end, Neighbourhood::within_window);
    if (hidden) {
      touched(begin, end, Neighbourhood::of_rare_word);
    } else {
      notes.begin.push_back(offset + begin);
      notes.end.push_back(offset + end);
      notes.keys.push_back(word.key);
    }
    if (hidden && !notes_.update_selected) continue;
    notes.window_begin.push_back(offset + window_begin);
    notes.window_end.push_back(offset + window_end);
    notes.sources.push_back({sample.index, word.key, begin});
  }
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

Batch allocate_batch(Arena& arena, const BatchShape& shape, int note_width) {
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
  for (Tensor* scalar : {&batch.weight_mlm, &batch.weight_second, &batch.temperature})
    *scalar = arena.allocate(DType::f32, {1});
  batch.candidates = integers(1);
  batch.negatives = integers(1);
  if (note_width == 0) return batch;
  NoteBatch& notes = batch.notes;
  const std::int64_t capacity = note_capacity(shape);
  for (Tensor* rows : {&notes.begin, &notes.end, &notes.slots, &notes.window_begin, &notes.window_end})
    *rows = integers(capacity);
  notes.count = integers(1);
  notes.windows = integers(1);
  notes.vectors = arena.allocate(DType::f32, {capacity, note_width});
  notes.pooled = arena.allocate(DType::f32, {capacity, note_width});
  return batch;
}

namespace {

/// The first values of a tensor of some capacity, and how many there are.
void copy_in_some(Queue& queue, const std::vector<std::int32_t>& values, const Tensor& destination) {
  const auto count = static_cast<std::int64_t>(values.size());
  TENFOLD_VERIFY(count <= destination[0], count, " rare words in a micro-batch that has room for ", destination[0]);
  if (count > 0) queue.copy_in(values.data(), destination.rows(0, count));
}

void copy_in(Queue& queue, const HostNotes& host, const NoteBatch& notes) {
  copy_in_some(queue, host.begin, notes.begin);
  copy_in_some(queue, host.end, notes.end);
  copy_in_some(queue, host.slots, notes.slots);
  copy_in_some(queue, host.window_begin, notes.window_begin);
  copy_in_some(queue, host.window_end, notes.window_end);
  const auto count = static_cast<std::int32_t>(host.begin.size());
  const auto windows = static_cast<std::int32_t>(host.window_begin.size());
  queue.copy_in(&count, notes.count);
  queue.copy_in(&windows, notes.windows);
}

}  // namespace

void copy_in(Queue& queue, const HostBatch& host, const Batch& batch) {
  queue.copy_in(host.tokens.data(), batch.tokens);
  queue.copy_in(host.original.data(), batch.original);
  queue.copy_in(host.lengths.data(), batch.lengths);
  queue.copy_in(host.samples.data(), batch.samples);
  queue.copy_in(host.selected_rows.data(), batch.selected_rows);
  queue.copy_in(host.labels.data(), batch.labels);
  queue.copy_in(&host.selected, batch.selected);
  if (batch.notes) copy_in(queue, host.notes, batch.notes);
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

}  // namespace tenfold

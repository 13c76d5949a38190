#include "data/batches.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include "kernels/linear.hpp"

namespace tenfold {

namespace {

std::int64_t whole_blocks(std::int64_t rows) {
  return (rows + kernels::row_block - 1) / kernels::row_block * kernels::row_block;
}

}  // namespace

BatchBudget batch_budget(const Settings& settings) {
  const std::int64_t micro_batch = settings.data.micro_batch.value(), length = settings.data.sequence_length;
  const std::int64_t share = settings.data.global_batch / settings.parallel.data.value();
  BatchBudget budget;
  budget.rows = whole_blocks(micro_batch * length);
  budget.length = length;
  budget.sequences = std::min(share, 4 * micro_batch);  // short ones share the rows of a long one
  const double selected = settings.objective.mask_rate * static_cast<double>(budget.rows);
  budget.selected = whole_blocks(static_cast<std::int64_t>(std::floor(selected)) + budget.sequences);
  return budget;
}

std::int64_t note_capacity(const RowBudget& budget) {
  return std::max<std::int64_t>(budget.rows / 2, 1);
}

BatchLayout::BatchLayout(const BatchBudget& budget, bool notes) {
  extent_[step] = 1;
  extent_[samples] = budget.sequences;
  for (const Part part : {tokens, original, sequence}) extent_[part] = budget.rows;
  extent_[offsets] = budget.sequences + 1;
  for (const Part part : {selected_rows, labels}) extent_[part] = budget.selected;
  extent_[counts] = count_of_counts;
  if (notes)
    for (const Part part : {note_begin, note_end, note_slots, window_begin, window_end})
      extent_[part] = note_capacity(budget);
  constexpr std::int64_t line = 64;
  for (std::size_t i = 0; i < parts; ++i) {
    const auto bytes = extent_[i] * static_cast<std::int64_t>(size_of(type(static_cast<Part>(i))));
    begin_[i + 1] = begin_[i] + (bytes + line - 1) / line * line;
  }
}

Tensor BatchLayout::part(Part part, const Tensor& buffer) const {
  if (extent_[part] == 0) return {};
  return {buffer.rows(begin_[part], 0).raw(), type(part), {extent_[part]}, buffer.device()};
}

HostBatch::HostBatch(const BatchBudget& budget, bool rare_words, Arena& host)
    : layout_(budget, rare_words), buffer_(host.allocate(DType::u8, {layout_.bytes()})) {
  neighbourhoods.resize(static_cast<std::size_t>(budget.selected));
  if (!rare_words) return;
  keys.reserve(static_cast<std::size_t>(note_capacity(budget)));
  sources.reserve(static_cast<std::size_t>(note_capacity(budget)));
}

std::span<std::int32_t> HostBatch::ints(BatchLayout::Part part) const {
  const Tensor view = layout_.part(part, buffer_);
  return view ? std::span(view.data<std::int32_t>(), static_cast<std::size_t>(view[0])) : std::span<std::int32_t>();
}

std::span<std::int64_t> HostBatch::samples() const {
  const Tensor view = layout_.part(BatchLayout::samples, buffer_);
  return {view.data<std::int64_t>(), static_cast<std::size_t>(view[0])};
}

void HostBatch::set_step(std::int64_t step) const {
  *layout_.part(BatchLayout::step, buffer_).data<std::int64_t>() = step;
}

DeviceBatch::DeviceBatch(const BatchBudget& budget, std::optional<int> note_width, Arena& device)
    : device_(device.device()),
      layout_(budget, note_width.has_value()),
      buffer_(device.allocate(DType::u8, {layout_.bytes()})) {
  const auto part = [&](BatchLayout::Part which) { return layout_.part(which, buffer_); };
  const auto count = [&](BatchLayout::Count which) { return part(BatchLayout::counts).rows(which, 1); };
  EncoderInput& input = masked.input;
  input.tokens = part(BatchLayout::tokens);
  input.rows = {part(BatchLayout::offsets), part(BatchLayout::sequence), part(BatchLayout::samples)};
  input.step = part(BatchLayout::step);
  masked.original = part(BatchLayout::original);
  masked.selected.rows = part(BatchLayout::selected_rows);
  masked.selected.labels = part(BatchLayout::labels);
  masked.selected.count = count(BatchLayout::selected);
  if (!note_width) return;
  NoteInput& notes = input.notes;
  notes.begin = part(BatchLayout::note_begin);
  notes.end = part(BatchLayout::note_end);
  notes.count = count(BatchLayout::with_note);
  notes.vectors = device.allocate(DType::f32, {note_capacity(budget), *note_width});
  note_slots = part(BatchLayout::note_slots);
  window_begin = part(BatchLayout::window_begin);
  window_end = part(BatchLayout::window_end);
  windows = count(BatchLayout::windows);
}

void DeviceBatch::copy_in(Queue& queue, const HostBatch& host) {
  queue.start_copy_in(host.buffer().raw(), buffer_);
  masked.input.computed = device_.computed_rows(host.filled, masked.input.tokens[0]);
  masked.selected.computed = device_.computed_rows(host.count(BatchLayout::selected), masked.selected.rows[0]);
}

BatchBuilder::BatchBuilder(const Sequences& sequences, const Settings& settings, const Vocabulary& vocabulary,
                           const BatchBudget& budget, std::uint64_t mask_key, bool rare_words)
    : sequences_(sequences),
      objective_(settings.objective),
      notes_(settings.notes),
      rare_words_(rare_words),
      vocabulary_(vocabulary),
      budget_(budget),
      mask_key_(mask_key) {
  selected_.reserve(static_cast<std::size_t>(budget.length));
  words_.reserve(static_cast<std::size_t>(budget.length));
}

std::size_t BatchBuilder::fitting(std::span<const Sample> samples) const {
  std::size_t count = 0;
  std::int64_t rows = 0;
  for (; count < samples.size() && static_cast<std::int64_t>(count) < budget_.sequences; ++count) {
    rows += sequences_.length(samples[count].sequence);
    if (rows > budget_.rows) break;
  }
  return count;
}

void BatchBuilder::build(std::span<const Sample> samples, HostBatch& batch) {
  using Layout = BatchLayout;
  TENFOLD_VERIFY(static_cast<std::int64_t>(samples.size()) <= budget_.sequences, samples.size(), " samples");
  batch.sequences = samples.size();
  batch.keys.clear();
  batch.sources.clear();
  std::ranges::fill(batch.ints(Layout::counts), 0);
  const auto original = batch.ints(Layout::original), sequence = batch.ints(Layout::sequence);
  const auto offsets = batch.ints(Layout::offsets);
  const auto ids = batch.samples();
  std::int64_t row = 0;
  for (std::size_t b = 0; b < samples.size(); ++b) {
    const std::int64_t length = sequences_.length(samples[b].sequence);
    const auto first = static_cast<std::size_t>(row), count = static_cast<std::size_t>(length);
    sequences_.read(samples[b].sequence, original.subspan(first, count));
    std::ranges::fill(sequence.subspan(first, count), static_cast<std::int32_t>(b));
    ids[b] = samples[b].index;
    offsets[b] = static_cast<std::int32_t>(row);
    row += length;
  }
  batch.filled = row;
  const auto used = static_cast<std::size_t>(row);
  std::ranges::fill(offsets.subspan(samples.size()), static_cast<std::int32_t>(row));
  std::ranges::fill(ids.subspan(samples.size()), 0);
  std::ranges::fill(sequence.subspan(used), -1);
  std::ranges::fill(original.subspan(used), vocabulary_.special.pad);
  std::ranges::copy(original, batch.ints(Layout::tokens).begin());
  for (std::size_t b = 0; b < samples.size(); ++b) select(samples[b], b, batch);
  const auto selected = static_cast<std::size_t>(batch.count(Layout::selected));
  for (const Layout::Part part : {Layout::selected_rows, Layout::labels})
    std::ranges::fill(batch.ints(part).subspan(selected), 0);
}

void BatchBuilder::select(const Sample& sample, std::size_t b, HostBatch& batch) {
  using Layout = BatchLayout;
  const auto offsets = batch.ints(Layout::offsets);
  const auto begin = static_cast<std::size_t>(offsets[b]), end = static_cast<std::size_t>(offsets[b + 1]);
  mask_sequence(batch.ints(Layout::tokens).subspan(begin, end - begin), objective_, vocabulary_,
                RandomSequence(mask_key_, sample.epoch, static_cast<std::uint64_t>(sample.sequence)), selected_);
  const auto original = batch.ints(Layout::original);
  const auto rows = batch.ints(Layout::selected_rows), labels = batch.ints(Layout::labels);
  std::int32_t& count = batch.count(Layout::selected);
  const auto first = static_cast<std::size_t>(count);
  TENFOLD_VERIFY(first + selected_.size() <= rows.size(), "more than ", rows.size(), " selected tokens");
  for (std::int32_t position : selected_) {
    const auto row = begin + static_cast<std::size_t>(position);
    rows[static_cast<std::size_t>(count)] = static_cast<std::int32_t>(row);
    labels[static_cast<std::size_t>(count++)] = original[row];
  }
  if (rare_words_) find_rare_words(sample, b, first, batch);
}

void BatchBuilder::find_rare_words(const Sample& sample, std::size_t b, std::size_t first_selected, HostBatch& batch) {
  using Layout = BatchLayout;
  sequences_.rare_words(sample.sequence, words_);
  const auto neighbourhoods = std::span(batch.neighbourhoods).subspan(first_selected, selected_.size());
  std::ranges::fill(neighbourhoods,
                    words_.empty() ? Neighbourhood::no_rare_word : Neighbourhood::sequence_with_rare_word);
  const std::int32_t offset = batch.ints(Layout::offsets)[b];
  const std::int32_t length = batch.ints(Layout::offsets)[b + 1] - offset;
  const auto put = [&](Layout::Part part, std::int32_t index, std::int32_t row) {
    batch.ints(part)[static_cast<std::size_t>(index)] = offset + row;
  };
  for (const RareOccurrence& word : words_) {
    const auto begin = static_cast<std::int32_t>(word.begin);
    const auto end = static_cast<std::int32_t>(word.end);
    const std::int32_t window_begin = std::max(begin - *notes_.window, 0);
    const std::int32_t window_end = std::min(end + *notes_.window, length);
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
      const std::int32_t o = batch.count(Layout::with_note)++;
      put(Layout::note_begin, o, begin);
      put(Layout::note_end, o, end);
      batch.keys.push_back(word.key);
    }
    if (hidden && !notes_.update_selected) continue;
    const std::int32_t o = batch.count(Layout::windows)++;
    put(Layout::window_begin, o, window_begin);
    put(Layout::window_end, o, window_end);
    batch.sources.push_back({sample.index, word.key, begin});
  }
}

void count(const HostBatch& batch, Counts& counts) {
  const auto offsets = batch.ints(BatchLayout::offsets);
  for (std::size_t b = 0; b < batch.sequences; ++b) {
    const double length = offsets[b + 1] - offsets[b];
    counts.sequences += 1;
    counts.tokens += length;
    counts.squares += length * length;
  }
  counts.selected += batch.count(BatchLayout::selected);
}

Counts all_reduce(Communicator& communicator, const Counts& counts) {
  std::array<double, 4> sums{counts.sequences, counts.tokens, counts.squares, counts.selected};
  communicator.all_reduce_sum(std::span<double>(sums));
  return {sums[0], sums[1], sums[2], sums[3]};
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

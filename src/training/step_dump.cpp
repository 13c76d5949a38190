#include "training/step_dump.hpp"

#include <algorithm>

namespace tenfold {

namespace {

void write(StepDumpFile& file, const std::string& name, const Tensor& values, Queue& queue) {
  std::vector<float> host(static_cast<std::size_t>(values.elements()));
  queue.copy_out(values, host.data());
  file.write<float>(name, host, values.shape());
}

std::vector<std::int32_t> integers(const Tensor& values, Queue& queue) {
  std::vector<std::int32_t> host(static_cast<std::size_t>(values.elements()));
  queue.copy_out(values, host.data());
  return host;
}

}  // namespace

StepDump::StepDump(const std::string& path, const std::string& configuration, std::int64_t step, std::int64_t length,
                   Trainer& trainer)
    : trainer_(trainer), length_(length), file_(path, step, configuration) {
  write_batch();
  for (const Parameter& parameter : trainer.parameters().all())
    write(file_, "parameters/" + parameter.name, trainer.parameters().master(parameter), trainer.queue());
}

std::int64_t StepDump::padded(std::int64_t row) const {
  const auto sequence = std::ranges::upper_bound(offsets_, row) - offsets_.begin() - 1;
  return sequence * length_ + row - offsets_[static_cast<std::size_t>(sequence)];
}

std::vector<std::int32_t> StepDump::pad(std::span<const std::int32_t> rows, std::int64_t width,
                                        std::int32_t rest) const {
  const auto sequences = static_cast<std::int64_t>(offsets_.size()) - 1;
  std::vector<std::int32_t> result(static_cast<std::size_t>(sequences * length_ * width), rest);
  for (std::int64_t row = 0; row < offsets_.back(); ++row)
    std::copy_n(rows.begin() + row * width, width, result.begin() + padded(row) * width);
  return result;
}

void StepDump::write_batch() {
  using Layout = BatchLayout;
  const std::span<HostBatch> batches = trainer_.batches();
  TENFOLD_VERIFY(batches.size() == 1, "a dump holds a step of one micro-batch, not of ", batches.size());
  const HostBatch& batch = batches.front();
  const auto offsets = batch.ints(Layout::offsets).first(batch.sequences + 1);
  offsets_.assign(offsets.begin(), offsets.end());
  std::vector<std::int32_t> lengths;
  for (std::size_t b = 0; b < batch.sequences; ++b) lengths.push_back(offsets_[b + 1] - offsets_[b]);
  const auto count = static_cast<std::int64_t>(batch.sequences);
  file_.write<std::int32_t>("batch/lengths", lengths, {count});
  for (const auto& [name, part] : {std::pair{"batch/tokens", Layout::tokens}, {"batch/original", Layout::original}})
    file_.write<std::int32_t>(name, pad(batch.ints(part), 1, 0), {count, length_});
  const std::int32_t selected = batch.count(Layout::selected);
  const auto labels = batch.ints(Layout::labels).first(static_cast<std::size_t>(selected));
  std::vector<std::int32_t> rows;
  for (std::size_t r = 0; r < labels.size(); ++r)
    rows.push_back(static_cast<std::int32_t>(padded(batch.ints(Layout::selected_rows)[r])));
  file_.write<std::int32_t>("batch/selected_rows", rows, {selected});
  file_.write<std::int32_t>("batch/labels", labels, {selected});
  file_.set("selected", std::int64_t{selected});
}

void StepDump::write_draws() {
  constexpr std::int32_t none = -1;
  const auto rows = static_cast<std::int64_t>(offsets_.size() - 1) * length_;
  for (const auto& [name, values] : trainer_.objective().draws()) {
    const std::int64_t width = values.elements() / values[0];
    const std::vector<std::int32_t> all = pad(integers(values, trainer_.queue()), width, none);
    file_.write<std::int32_t>("draws/" + name, all, values.shape().with_rows(rows));
  }
}

void StepDump::write_notes() {
  Queue& queue = trainer_.queue();
  const DeviceBatch& batch = trainer_.batch();
  const NoteInput& notes = batch.masked.input.notes;
  const auto spans = [&](const std::string& prefix, const Tensor& begin, const Tensor& end, std::int32_t count) {
    std::vector<std::int32_t> first = integers(begin.rows(0, count), queue), last = integers(end.rows(0, count), queue);
    for (std::int32_t& row : first) row = static_cast<std::int32_t>(padded(row));
    for (std::int32_t& row : last) row = static_cast<std::int32_t>(padded(row - 1)) + 1;
    file_.write<std::int32_t>("notes/" + prefix + "begin", first, {count});
    file_.write<std::int32_t>("notes/" + prefix + "end", last, {count});
  };
  const std::int32_t with_note = integers(notes.count, queue).front(), windows = integers(batch.windows, queue).front();
  file_.set("notes", std::int64_t{with_note});
  file_.set("windows", std::int64_t{windows});
  spans("", notes.begin, notes.end, with_note);
  spans("window_", batch.window_begin, batch.window_end, windows);
  write(file_, "notes/vectors", notes.vectors.rows(0, with_note), queue);
  write(file_, "notes/pooled", trainer_.notes()->pooled().rows(0, windows), queue);
}

void StepDump::finish(const StepResult& result) {
  write_draws();
  if (trainer_.notes() != nullptr) write_notes();
  for (const Parameter& parameter : trainer_.parameters().all())
    write(file_, "gradients/" + parameter.name, trainer_.parameters().gradient(parameter), trainer_.queue());
  file_.finish(result.metrics.front());
}

}  // namespace tenfold

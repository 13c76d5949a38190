#include "notes/detail/note_table.hpp"

#include <algorithm>
#include <cstring>
#include <tuple>

#include "base/random.hpp"
#include "kernels/device.hpp"
#include "kernels/elementwise.hpp"
#include "kernels/notes.hpp"

namespace tenfold::detail {

namespace {
constexpr float initial_deviation = 0.02F;  // as an embedding's
}  // namespace

NoteTable::NoteTable(Arena& host, std::int64_t keys, int width, float rate, std::int64_t capacity, int rank, int ranks)
    : keys_(keys),
      width_(width),
      rate_(rate),
      rank_(rank),
      ranks_(ranks),
      queue_(kernels::make_device(DeviceKind::host, 0)->make_queue()) {
  const std::int64_t share = owned_below(keys);
  table_ = host.allocate(DType::f32, {share, width});
  updates_.resize(static_cast<std::size_t>(share));
  last_steps_.resize(static_cast<std::size_t>(share));
  arrived_.reserve(static_cast<std::size_t>(capacity));
  changed_.reserve(static_cast<std::size_t>(capacity));
  first_.reserve(static_cast<std::size_t>(capacity) + 1);
  values_.reserve(static_cast<std::size_t>(capacity * width));
}

void NoteTable::initialise(std::uint64_t seed) {
  for (std::int64_t key = rank_; key < keys_; key += ranks_)
    kernels::fill_normal(*queue_, stream_key(seed, text("note.", key)), 0.0F, initial_deviation, 0, row(key));
}

std::int64_t NoteTable::update(std::int64_t step, std::span<const std::uint32_t> records) {
  sort(records);
  changed_.clear();
  first_.clear();
  values_.resize(arrived_.size() * static_cast<std::size_t>(width_));
  for (std::size_t i = 0; i < arrived_.size(); ++i) {
    const auto& [source, vector] = arrived_[i];
    if (i == 0 || source.key != arrived_[i - 1].source.key) {
      const std::int64_t row = owned_below(source.key);
      changed_.push_back(static_cast<std::int32_t>(row));
      first_.push_back(static_cast<std::int32_t>(i));
      ++updates_[static_cast<std::size_t>(row)];
      last_steps_[static_cast<std::size_t>(row)] = step;
    }
    std::memcpy(&values_[i * static_cast<std::size_t>(width_)], vector,
                sizeof(float) * static_cast<std::size_t>(width_));
  }
  const auto count = static_cast<std::int64_t>(arrived_.size());
  const auto changed = static_cast<std::int64_t>(changed_.size());
  first_.push_back(static_cast<std::int32_t>(count));
  kernels::update_notes(*queue_, host_view(std::span(changed_), {changed}), host_view(std::span(first_), {changed + 1}),
                        host_view(std::span(values_), {count, width_}), rate_, table_);
  return changed;
}

void NoteTable::sort(std::span<const std::uint32_t> records) {
  const auto words = static_cast<std::size_t>(record_words());
  arrived_.resize(records.size() / words);
  for (std::size_t i = 0; i < arrived_.size(); ++i) {
    const std::uint32_t* record = &records[i * words];
    std::memcpy(&arrived_[i].source, record, sizeof(NoteSource));
    arrived_[i].vector = record + source_words;
  }
  const auto order = [](const Arrived& arrived) {
    return std::tuple(arrived.source.key, arrived.source.sample, arrived.source.begin);
  };
  std::ranges::sort(arrived_, {}, order);
  const auto twice = std::ranges::adjacent_find(arrived_, {}, order);
  TENFOLD_VERIFY(twice == arrived_.end(), "two contributions of key ", twice->source.key, ", sample ",
                 twice->source.sample, ", begin ", twice->source.begin);
}

void NoteTable::read(std::int64_t key, float* values) {
  queue_->copy_out(row(key), values);
}

void NoteTable::write(std::int64_t key, const float* values, std::int64_t updates, std::int64_t last_step) {
  queue_->copy_in(values, row(key));
  updates_[static_cast<std::size_t>(owned_below(key))] = updates;
  last_steps_[static_cast<std::size_t>(owned_below(key))] = last_step;
}

std::span<const float> NoteTable::rows() const {
  return {table_.data<float>(), static_cast<std::size_t>(table_.elements())};
}

}  // namespace tenfold::detail

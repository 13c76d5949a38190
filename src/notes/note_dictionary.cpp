#include "notes/note_dictionary.hpp"

#include <algorithm>
#include <utility>

#include "base/clock.hpp"
#include "notes/detail/note_exchange.hpp"
#include "notes/detail/note_table.hpp"

namespace tenfold {

namespace {

constexpr std::int64_t restored_elements = 1 << 20;  // in one block that is read

/// An exchange under way is not waited for, since the other ranks may not come, and MPI may still write to its buffers:
/// they are left to it.
void retire(std::unique_ptr<detail::NoteExchange>& exchange) {
  if (!exchange->resting()) static_cast<void>(exchange.release());
}

}  // namespace

NoteDictionary::NoteDictionary(Communicator& data, std::int64_t keys, int width, float rate, std::int64_t capacity,
                               Arena& host, Arena& device)
    : data_(data),
      table_(std::make_unique<detail::NoteTable>(host, keys, width, rate, capacity, data.rank(), data.size())),
      rows_(device.allocate(DType::f32, {capacity, width})),
      exchange_(std::make_unique<detail::NoteExchange>(data, *table_, capacity)),
      look_ups_(std::make_unique<detail::NoteExchange>(data, *table_, 0)) {
  staged_.reserve(static_cast<std::size_t>(capacity * width));
}

void NoteDictionary::initialise(std::uint64_t seed) {
  table_->initialise(seed);
}

NoteDictionary::~NoteDictionary() {
  retire(exchange_);
  retire(look_ups_);
}

void NoteDictionary::request(std::span<const std::int32_t> keys) {
  TENFOLD_VERIFY(static_cast<std::int64_t>(keys.size()) <= rows_[0], keys.size(), " keys, capacity ", rows_[0]);
  exchange_->request(keys);
}

void NoteDictionary::contribute(std::int64_t step, std::span<const NoteSource> sources,
                                std::span<const float> vectors) {
  exchange_->contribute(step, sources, vectors);
}

void NoteDictionary::poll() {
  exchange_->poll();
}

const Tensor& NoteDictionary::wait(Queue& queue) {
  take_rows(*exchange_, queue, rows_);
  return rows_;
}

void NoteDictionary::look_up(Queue& queue, std::span<const std::int32_t> keys, const Tensor& rows) {
  exchange_->settle();
  look_ups_->request(keys);
  look_ups_->contribute(0, {}, {});
  take_rows(*look_ups_, queue, rows);
}

void NoteDictionary::take_rows(detail::NoteExchange& exchange, Queue& queue, const Tensor& rows) {
  exchange.take_answers(staged_);
  const auto count = static_cast<std::int64_t>(staged_.size()) / width();
  if (count > 0) queue.copy_in(staged_.data(), rows.rows(0, count));
}

NoteStatistics NoteDictionary::take_statistics() {
  const auto start = Clock::now();
  exchange_->settle();
  NoteStatistics statistics = std::exchange(exchange_->statistics, {});
  statistics.seconds_waited = seconds_since(start);
  return statistics;
}

NoteShare NoteDictionary::share() {
  exchange_->settle();
  return {.first = data_.rank(),
          .step = data_.size(),
          .rows = table_->rows(),
          .updates = table_->updates(),
          .last_steps = table_->last_steps()};
}

void NoteDictionary::restore(const ReadBlock& read_block) {
  const std::int64_t block = std::max<std::int64_t>(restored_elements / width(), 1);
  std::vector<float> rows;
  std::vector<std::int64_t> updates;
  std::vector<std::int64_t> last_steps;
  for (std::int64_t first = 0; first < keys(); first += block) {
    const auto count = static_cast<std::size_t>(std::min(block, keys() - first));
    rows.resize(count * static_cast<std::size_t>(width()));
    updates.resize(count);
    last_steps.resize(count);
    read_block(first, rows, updates, last_steps);
    for (std::size_t i = 0; i < count; ++i) {
      const std::int64_t key = first + static_cast<std::int64_t>(i);
      if (table_->owns(key))
        table_->write(key, &rows[i * static_cast<std::size_t>(width())], updates[i], last_steps[i]);
    }
  }
}

std::int64_t NoteDictionary::keys() const {
  return table_->keys();
}
int NoteDictionary::width() const {
  return table_->width();
}

}  // namespace tenfold

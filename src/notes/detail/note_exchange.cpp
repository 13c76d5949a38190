#include "notes/detail/note_exchange.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>
#include <utility>

namespace tenfold::detail {

namespace {

void scale(std::span<const std::int64_t> counts, std::int64_t factor, std::vector<std::int64_t>& scaled) {
  std::ranges::transform(counts, scaled.begin(), [=](std::int64_t count) { return count * factor; });
}

}  // namespace

NoteExchange::NoteExchange(Communicator& data, NoteTable& table, std::int64_t capacity)
    : communicator_(data.duplicate()),
      table_(table),
      width_(table.width()),
      request_order_(data.size(), capacity),
      contribution_order_(data.size(), capacity) {
  for (Counts* counts : {&asked_counts_, &sent_words_, &arriving_words_, &served_counts_, &answer_counts_})
    counts->resize(static_cast<std::size_t>(data.size()));
  const auto rows = static_cast<std::size_t>(capacity);
  const auto values = static_cast<std::size_t>(capacity * width_);
  const auto words = static_cast<std::size_t>(capacity * table.record_words());
  for (auto* keys : {&requested_keys_, &asked_keys_, &finite_keys_}) keys->reserve(rows);
  finite_.reserve(rows);
  for (auto* records : {&sent_records_, &arrived_records_}) records->reserve(words);
  for (auto* vectors : {&served_, &answers_}) vectors->reserve(values);
}

void NoteExchange::request(std::span<const std::int32_t> keys) {
  TENFOLD_VERIFY(stage_ == Stage::idle, "the rows of the last request were not waited for");
  request_order_.assign(keys, table_.keys());
  requested_keys_.resize(keys.size());
  for (std::size_t i = 0; i < keys.size(); ++i) requested_keys_[request_order_.slot(i)] = keys[i];
  statistics.looked_up += static_cast<std::int64_t>(keys.size());
  start_counts(Stage::request_counts, request_order_.counts(), asked_counts_);
  poll();
}

void NoteExchange::contribute(std::int64_t step, std::span<const NoteSource> sources, std::span<const float> vectors) {
  TENFOLD_VERIFY(stage_ != Stage::idle && !contributed_, "a contribution follows a request, one a step");
  TENFOLD_VERIFY(sources.size() * static_cast<std::size_t>(width_) == vectors.size(), sources.size(),
                 " sources with vectors of ", vectors.size(), " elements, not ", width_, " each");
  pack(sources, vectors);
  step_ = step;
  contributed_ = true;
  if (stage_ == Stage::requested) start_counts(Stage::contribution_counts, sent_words_, arriving_words_);
  poll();
}

void NoteExchange::pack(std::span<const NoteSource> sources, std::span<const float> vectors) {
  const auto width = static_cast<std::size_t>(width_);
  const auto words = static_cast<std::size_t>(table_.record_words());
  finite_.clear();
  finite_keys_.clear();
  for (std::size_t i = 0; i < sources.size(); ++i) {
    if (!std::ranges::all_of(vectors.subspan(i * width, width), [](float value) { return std::isfinite(value); }))
      continue;
    finite_.push_back(i);
    finite_keys_.push_back(sources[i].key);
  }
  statistics.dropped += static_cast<std::int64_t>(sources.size() - finite_.size());
  contribution_order_.assign(finite_keys_, table_.keys());
  sent_records_.resize(finite_.size() * words);
  for (std::size_t i = 0; i < finite_.size(); ++i) {
    std::uint32_t* record = &sent_records_[contribution_order_.slot(i) * words];
    std::memcpy(record, &sources[finite_[i]], sizeof(NoteSource));
    std::memcpy(record + NoteTable::source_words, &vectors[finite_[i] * width], width * sizeof(float));
  }
  scale(contribution_order_.counts(), table_.record_words(), sent_words_);
}

void NoteExchange::take_answers(std::vector<float>& rows) {
  TENFOLD_VERIFY(contributed_, "answers follow request() and contribute()");
  settle();
  const auto width = static_cast<std::size_t>(width_);
  rows.resize(answers_.size());
  for (std::size_t i = 0; i < request_order_.size(); ++i)
    std::copy_n(&answers_[request_order_.slot(i) * width], width, &rows[i * width]);
  contributed_ = false;
  stage_ = Stage::idle;
}

void NoteExchange::advance(Patience patience) {
  while (!resting()) {
    if (patience == Patience::test && !communicator_->test(outstanding_)) return;
    communicator_->wait(outstanding_);
    next(std::exchange(stage_, Stage::idle));  // should it fail, nothing is outstanding
  }
}

void NoteExchange::next(Stage done) {
  switch (done) {
    case Stage::request_counts:
      start<std::int32_t>(Stage::request_keys, requested_keys_, request_order_.counts(), asked_keys_, asked_counts_);
      return;
    case Stage::request_keys:
      stage_ = Stage::requested;
      if (contributed_) start_counts(Stage::contribution_counts, sent_words_, arriving_words_);
      return;
    case Stage::contribution_counts:
      start<std::uint32_t>(Stage::contributions, sent_records_, sent_words_, arrived_records_, arriving_words_);
      return;
    case Stage::contributions:
      statistics.updated += table_.update(step_, arrived_records_);
      start_answers();
      return;
    case Stage::answers:
      stage_ = Stage::answered;
      return;
    case Stage::idle:
    case Stage::requested:
    case Stage::answered:
      throw Error("the exchange of notes rests");
  }
}

void NoteExchange::start_answers() {
  served_.resize(asked_keys_.size() * static_cast<std::size_t>(width_));
  float* row = served_.data();
  for (const std::int32_t key : asked_keys_) {
    table_.read(key, row);
    row += width_;
    statistics.age += static_cast<double>(step_ + 1 - table_.last_step(key));  // when the next step reads it
  }
  scale(asked_counts_, width_, served_counts_);
  scale(request_order_.counts(), width_, answer_counts_);
  start<float>(Stage::answers, served_, served_counts_, answers_, answer_counts_);
}

void NoteExchange::start_counts(Stage stage, std::span<const std::int64_t> send, Counts& receive) {
  stage_ = stage;
  outstanding_ = communicator_->start_all_to_all(send, std::span(receive));
  statistics.bytes += static_cast<std::int64_t>(sizeof(std::int64_t)) * (communicator_->size() - 1);
}

template <Word T>
void NoteExchange::start(Stage stage, std::span<const T> send, std::span<const std::int64_t> send_counts,
                         std::vector<T>& receive, std::span<const std::int64_t> receive_counts) {
  stage_ = stage;
  receive.resize(
      static_cast<std::size_t>(std::accumulate(receive_counts.begin(), receive_counts.end(), std::int64_t{0})));
  outstanding_ = communicator_->start_all_to_all_v(send, send_counts, std::span(receive), receive_counts);
  const std::int64_t kept = send_counts[static_cast<std::size_t>(communicator_->rank())];
  statistics.bytes += static_cast<std::int64_t>(sizeof(T)) * (static_cast<std::int64_t>(send.size()) - kept);
}

}  // namespace tenfold::detail

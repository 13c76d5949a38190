#include "io/corpus_writer.hpp"

#include <algorithm>

#include "base/check.hpp"

namespace tenfold {

namespace {

constexpr std::int64_t chunk_bytes = 64 << 10;

template <class T>
hdf5::Layout layout_of(std::int64_t elements) {
  if (elements == 0) return {};
  const std::int64_t chunk = std::min(elements, chunk_bytes / static_cast<std::int64_t>(sizeof(T)));
  return {.chunk = {static_cast<hdf5::Size>(chunk)}, .extendible = false, .fletcher32 = true};
}

}  // namespace

template <class T>
Column<T>::Column(hdf5::Location& group, const std::string& name, std::int64_t total, std::int64_t begin)
    : data_(group.create_dataset<T>(name, {static_cast<hdf5::Size>(total)}, layout_of<T>(total))),
      total_(total),
      position_(begin) {}

template <class T>
void Column<T>::flush() {
  if (total_ == 0) return;
  const auto count = static_cast<std::int64_t>(pending_.size());
  TENFOLD_VERIFY(position_ + count <= total_, "elements ", position_, " to ", position_ + count, " of ", total_);
  data_.write(std::span<const T>(pending_), static_cast<hdf5::Size>(position_), hdf5::Transfer::collective);
  position_ += count;
  pending_.clear();
}

template class Column<std::uint8_t>;
template class Column<std::uint16_t>;
template class Column<std::int32_t>;
template class Column<std::int64_t>;

SplitWriter::SplitWriter(hdf5::Location& file, Split split, int vocabulary_size, const SplitSizes& total,
                         const SplitSizes& before, WriterPlace place)
    : group_(file.group(name_of(split))),
      position_(before.tokens),
      last_(place.last),
      tokens_(vocabulary_size <= 1 << 16
                  ? Tokens(std::in_place_index<0>, group_, "tokens", total.tokens, before.tokens)
                  : Tokens(std::in_place_index<1>, group_, "tokens", total.tokens, before.tokens)),
      // Each process holds the ends of its sentences; the first one also the 0 before them all.
      sentences_(group_, "sentence_offsets", total.sentences + 1, place.first ? 0 : before.sentences + 1),
      documents_(group_, "document_offsets", total.documents + 1, before.documents) {
  if (place.first) sentences_.push(0);
}

void SplitWriter::append(std::span<const std::int32_t> tokens, std::span<const std::int32_t> ends) {
  std::visit([&](auto& column) { column.push(tokens); }, tokens_);
  for (const std::int32_t end : ends) sentences_.push(position_ + end);
  position_ += static_cast<std::int64_t>(tokens.size());
}

void SplitWriter::flush() {
  std::visit([](auto& column) { column.flush(); }, tokens_);
  sentences_.flush();
  documents_.flush();
}

void SplitWriter::finish() {
  if (last_) documents_.push(position_);
  flush();
}

RareWriter::RareWriter(hdf5::Location& file, Split split, std::int64_t total, std::int64_t before)
    : group_(file.group(std::string(name_of(split)) + "/rare")),
      keys_(group_, "key", total, before),
      begins_(group_, "begin", total, before),
      ends_(group_, "end", total, before) {}

void RareWriter::push(const RareOccurrence& one) {
  keys_.push(one.key);
  begins_.push(one.begin);
  ends_.push(one.end);
}

void RareWriter::flush() {
  keys_.flush();
  begins_.flush();
  ends_.flush();
}

}  // namespace tenfold

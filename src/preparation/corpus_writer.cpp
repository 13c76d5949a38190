#include "preparation/corpus_writer.hpp"

#include <algorithm>

#include "parallel/agree.hpp"

namespace tenfold {

namespace {

constexpr std::int64_t chunk_bytes = 64 << 10;
/// Elements that one collective call takes from a rank at most.
constexpr std::int64_t slice = 256 << 10;

template <class T>
hdf5::Layout layout_of(std::int64_t elements) {
  if (elements == 0) return {};
  const std::int64_t chunk = std::min(elements, chunk_bytes / static_cast<std::int64_t>(sizeof(T)));
  return {.chunk = {static_cast<hdf5::Size>(chunk)}, .extendible = false, .fletcher32 = true};
}

/// How often all ranks must write a slice until each has written its elements.
std::int64_t rounds_of(std::int64_t elements, Communicator& world) {
  return world.all_reduce_max((elements + slice - 1) / slice);
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

template <class T>
void write_all(hdf5::Location& group, const std::string& name, std::span<const T> mine, Communicator& world) {
  const auto count = static_cast<std::int64_t>(mine.size());
  Column<T> column(group, name, world.all_reduce_sum(count), world.exclusive_scan_sum(count));
  for (std::int64_t round = 0, rounds = rounds_of(count, world); round < rounds; ++round) {
    const std::int64_t begin = std::min(round * slice, count);
    column.push(
        mine.subspan(static_cast<std::size_t>(begin), static_cast<std::size_t>(std::min(slice, count - begin))));
    column.flush();
  }
}

template void write_all(hdf5::Location&, const std::string&, std::span<const std::uint8_t>, Communicator&);
template void write_all(hdf5::Location&, const std::string&, std::span<const std::int64_t>, Communicator&);

SplitWriter::SplitWriter(hdf5::Location& file, Split split, int vocabulary_size, const SplitSizes& total,
                         const SplitSizes& before, Communicator& world)
    : group_(file.group(name_of(split))),
      position_(before.tokens),
      last_rank_(world.rank() + 1 == world.size()),
      tokens_(vocabulary_size <= 1 << 16
                  ? Tokens(std::in_place_index<0>, group_, "tokens", total.tokens, before.tokens)
                  : Tokens(std::in_place_index<1>, group_, "tokens", total.tokens, before.tokens)),
      // Each rank holds the ends of its sentences; the first one also the 0 before them all.
      sentences_(group_, "sentence_offsets", total.sentences + 1, world.rank() == 0 ? 0 : before.sentences + 1),
      documents_(group_, "document_offsets", total.documents + 1, before.documents) {
  if (world.rank() == 0) sentences_.push(0);
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
  if (last_rank_) documents_.push(position_);
  flush();
}

void write_rare_occurrences(hdf5::Location& file, Split split, const OccurrenceSpool& mine, Communicator& world) {
  hdf5::Group group = file.group(std::string(name_of(split)) + "/rare");
  const std::int64_t total = world.all_reduce_sum(mine.size());
  const std::int64_t before = world.exclusive_scan_sum(mine.size());
  Column<std::int32_t> keys(group, "key", total, before);
  Column<std::int64_t> begins(group, "begin", total, before);
  Column<std::int64_t> ends(group, "end", total, before);
  for (std::int64_t round = 0, rounds = rounds_of(mine.size(), world); round < rounds; ++round) {
    agree(world, [&] {
      for (const RareOccurrence& one : mine.read(round * slice, slice)) {
        keys.push(one.key);
        begins.push(one.begin);
        ends.push(one.end);
      }
    });
    keys.flush();
    begins.flush();
    ends.flush();
  }
}

}  // namespace tenfold

#include "preparation/corpus_writer.hpp"

#include <algorithm>

#include "parallel/agree.hpp"

namespace tenfold {

namespace {

/// Elements that one collective call takes from a rank at most.
constexpr std::int64_t slice = 256 << 10;

/// How often all ranks must write a slice until each has written its elements.
std::int64_t rounds_of(std::int64_t elements, Communicator& world) {
  return world.all_reduce_max((elements + slice - 1) / slice);
}

}  // namespace

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
template void write_all(hdf5::Location&, const std::string&, std::span<const std::int32_t>, Communicator&);
template void write_all(hdf5::Location&, const std::string&, std::span<const std::int64_t>, Communicator&);

void write_rare_occurrences(hdf5::Location& file, Split split, const OccurrenceSpool& mine, Communicator& world) {
  RareWriter writer(file, split, world.all_reduce_sum(mine.size()), world.exclusive_scan_sum(mine.size()));
  for (std::int64_t round = 0, rounds = rounds_of(mine.size(), world); round < rounds; ++round) {
    agree(world, [&] {
      for (const RareOccurrence& one : mine.read(round * slice, slice)) writer.push(one);
    });
    writer.flush();
  }
}

}  // namespace tenfold

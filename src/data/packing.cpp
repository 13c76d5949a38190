#include "data/packing.hpp"

#include <algorithm>
#include <vector>

#include "parallel/agree.hpp"

namespace tenfold {

namespace {

/// The blocks of sentences that a rank packs.
class Blocks {
 public:
  Blocks(const Corpus& corpus, Split split, const Communicator& world)
      : corpus_(corpus), split_(split), sentences_(corpus.sentences(split)) {
    const std::int64_t blocks = (sentences_ + packing_block - 1) / packing_block;
    first_ = blocks * world.rank() / world.size();
    last_ = blocks * (world.rank() + 1) / world.size();
  }

  template <class Add>
  void pack(int sequence_length, Progress& progress, const Add& add) const {
    std::vector<std::int64_t> offsets;
    for (std::int64_t block = first_; block < last_; ++block) {
      const std::int64_t first = block * packing_block;
      offsets.resize(static_cast<std::size_t>(std::min(packing_block, sentences_ - first) + 1));
      corpus_.read_sentence_offsets(split_, first, offsets);
      pack_sentences(offsets, sequence_length, add);
      progress.tick();
    }
  }

 private:
  const Corpus& corpus_;
  Split split_;
  std::int64_t sentences_, first_, last_;
};

}  // namespace

PackedIndex detail::share_index(std::int64_t count, std::int64_t end, MpiCommunicator& world, MpiCommunicator& node,
                                const std::function<void(std::span<std::int64_t>)>& fill) {
  const std::vector<std::int64_t> counts = world.all_gather(count);
  std::vector<std::size_t> offsets(1);
  for (const std::int64_t each : counts) offsets.push_back(offsets.back() + static_cast<std::size_t>(each));
  PackedIndex index(world, node, offsets.back() + 1);
  const auto part_of = [&](int rank) {
    const auto r = static_cast<std::size_t>(rank);
    return index.values().subspan(offsets[r], offsets[r + 1] - offsets[r]);
  };
  agree(world, [&] { fill(part_of(world.rank())); });
  if (node.rank() == 0) index.values().back() = end;
  node.barrier();
  // One rank of each node brings in what the ranks of other nodes wrote.
  const bool leads = node.rank() == 0;
  MpiCommunicator leaders = world.split(leads ? 0 : 1, world.rank());
  int leader = leaders.rank();
  node.broadcast(std::span(&leader, 1));
  const std::vector<int> leader_of = world.all_gather(leader);
  for (int rank = 0; leads && rank < world.size(); ++rank)
    leaders.broadcast(part_of(rank), leader_of[static_cast<std::size_t>(rank)]);
  node.barrier();
  return index;
}

PackedIndex pack(const Corpus& corpus, Split split, int sequence_length, MpiCommunicator& world) {
  // Counted first, so that the index has its place in the node's memory from the start and is never held twice.
  const Blocks mine(corpus, split, world);
  std::int64_t count = 0;
  agree(world, [&] { mine.pack(sequence_length, world.progress(), [&](std::int64_t) { ++count; }); });
  MpiCommunicator node = world.split_node();
  return detail::share_index(count, corpus.tokens(split), world, node, [&](std::span<std::int64_t> begins) {
    auto next = begins.begin();
    mine.pack(sequence_length, world.progress(), [&](std::int64_t begin) { *next++ = begin; });
  });
}

}  // namespace tenfold

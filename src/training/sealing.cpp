#include "training/sealing.hpp"

#include <algorithm>

#include "parallel/agree.hpp"

namespace tenfold {

namespace {

/// Where a share begins.
std::uint64_t border(std::uint64_t leaves, int share, int ranks) {
  return leaves * static_cast<std::uint64_t>(share) / static_cast<std::uint64_t>(ranks);
}

std::vector<seal::Hash> hash_leaves(const std::string& path, std::uint64_t length, int rotation,
                                    MpiCommunicator& ranks) {
  const std::uint64_t leaves = seal::leaves_of(length);
  const LeafRange share = share_of(leaves, rotation, ranks);
  const std::vector<seal::Hash> mine =
      agree(ranks, [&] { return seal::hash_leaves(path, length, share.first, share.last, ranks.progress()); });
  return gather_leaves(mine, leaves, rotation, ranks);
}

}  // namespace

LeafRange share_of(std::uint64_t leaves, int rotation, const Communicator& ranks) {
  const int share = (ranks.rank() + rotation) % ranks.size();
  return {border(leaves, share, ranks.size()), border(leaves, share + 1, ranks.size())};
}

std::vector<seal::Hash> gather_leaves(std::span<const seal::Hash> mine, std::uint64_t leaves, int rotation,
                                      Communicator& ranks) {
  std::vector<seal::Hash> hashes = ranks.all_gather_v(mine).values;  // from the share of rank 0 on, in a ring
  const std::uint64_t before_end = leaves - border(leaves, rotation % ranks.size(), ranks.size());
  std::rotate(hashes.begin(), hashes.begin() + static_cast<std::ptrdiff_t>(before_end), hashes.end());
  return hashes;
}

seal::Beginning read_beginning(const std::string& path, MpiCommunicator& ranks) {
  seal::Beginning beginning;
  agree_on_root(ranks, [&] { beginning = seal::read_beginning(path); });
  ranks.broadcast(std::span(&beginning, 1));
  return beginning;
}

void write_seal(const std::string& path, std::uint32_t schema, MpiCommunicator& ranks) {
  const std::uint64_t length = read_beginning(path, ranks).length;
  const std::vector<seal::Hash> leaves = hash_leaves(path, length, 0, ranks);
  agree_on_root(ranks, [&] { seal::write_block(path, seal::block_of(schema, length, leaves)); });
}

std::string damage_of(const std::string& path, MpiCommunicator& ranks) {
  constexpr int next_rank = 1;
  try {
    const seal::Beginning beginning = read_beginning(path, ranks);
    if (std::string damage = seal::damage_of(beginning); !damage.empty()) return damage;
    return seal::damage_of(beginning, hash_leaves(path, beginning.length, next_rank, ranks));
  } catch (const Error& error) {
    return error.what();  // thrown by all ranks alike (agreed)
  }
}

}  // namespace tenfold

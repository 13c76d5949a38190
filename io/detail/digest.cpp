#include "io/detail/digest.hpp"

#include <fcntl.h>
#include <xxhash.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <vector>

#include "base/check.hpp"
#include "base/heartbeat.hpp"
#include "io/detail/collective.hpp"
#include "io/detail/posix.hpp"

namespace tenfold::detail {
namespace {

Hash hash_of(std::span<const std::byte> bytes) {
  XXH128_canonical_t canonical;
  XXH128_canonicalFromHash(&canonical, XXH3_128bits(bytes.data(), bytes.size()));
  Hash hash;
  static_assert(sizeof canonical == sizeof hash);
  std::memcpy(hash.data(), &canonical, sizeof canonical);
  return hash;
}

/// Hashes of leaves [first, last).
std::vector<Hash> hash_leaves(const std::string& path, std::uint64_t begin, std::uint64_t length, std::uint64_t first,
                              std::uint64_t last) {
  std::vector<Hash> hashes;
  hashes.reserve(last - first);
  const Descriptor file(path, O_RDONLY);
  file.forget_cache();
  std::vector<std::byte> leaf(leaf_bytes);
  for (std::uint64_t i = first; i < last; ++i) {
    const std::uint64_t offset = begin + i * leaf_bytes;
    const std::span<std::byte> bytes(leaf.data(), std::min(leaf_bytes, length - offset));
    file.read_at(bytes, offset);
    hashes.push_back(hash_of(bytes));
    heartbeat();
  }
  return hashes;
}

}  // namespace

Hash tree_hash(const std::string& path, std::uint64_t begin, std::uint64_t length, std::span<const std::byte> prefix,
               int rotation, MPI_Comm communicator) {
  const int size = size_of(communicator);
  const std::uint64_t leaves = (length - begin + leaf_bytes - 1) / leaf_bytes;
  TENFOLD_VERIFY(leaves * sizeof(Hash) <= std::numeric_limits<int>::max(), path, " has ", length, " bytes");
  std::vector<int> counts(static_cast<std::size_t>(size));
  std::vector<int> offsets(static_cast<std::size_t>(size));
  const auto boundary = [&](int share) {
    return leaves * static_cast<std::uint64_t>(share) / static_cast<std::uint64_t>(size);
  };
  for (int rank = 0; rank < size; ++rank) {
    const int share = (rank + rotation) % size;
    offsets[rank] = static_cast<int>(boundary(share) * sizeof(Hash));
    counts[rank] = static_cast<int>((boundary(share + 1) - boundary(share)) * sizeof(Hash));
  }
  const int share = (rank_of(communicator) + rotation) % size;
  std::vector<Hash> mine;
  agree(communicator, [&] { mine = hash_leaves(path, begin, length, boundary(share), boundary(share + 1)); });

  std::vector<std::byte> tree(prefix.begin(), prefix.end());
  tree.resize(prefix.size() + leaves * sizeof(Hash));
  check_mpi(MPI_Allgatherv(mine.data(), static_cast<int>(mine.size() * sizeof(Hash)), MPI_BYTE,
                           tree.data() + prefix.size(), counts.data(), offsets.data(), MPI_BYTE, communicator),
            "MPI_Allgatherv");
  return hash_of(tree);
}

}  // namespace tenfold::detail

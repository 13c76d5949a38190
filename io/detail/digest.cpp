#include "io/detail/digest.hpp"

#include <fcntl.h>
#include <xxhash.h>

#include <algorithm>
#include <cstring>
#include <vector>

#include "io/posix.hpp"
#include "parallel/agree.hpp"

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
                              std::uint64_t last, Progress& progress) {
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
    progress.tick();
  }
  return hashes;
}

}  // namespace

Hash tree_hash(const std::string& path, std::uint64_t begin, std::uint64_t length, std::span<const std::byte> prefix,
               int rotation, MpiCommunicator& communicator) {
  const int size = communicator.size();
  const std::uint64_t leaves = (length - begin + leaf_bytes - 1) / leaf_bytes;
  const auto boundary = [&](int share) {
    return leaves * static_cast<std::uint64_t>(share) / static_cast<std::uint64_t>(size);
  };
  const int share = (communicator.rank() + rotation) % size;
  const std::vector<Hash> mine = agree(communicator, [&] {
    return hash_leaves(path, begin, length, boundary(share), boundary(share + 1), communicator.progress());
  });
  std::vector<Hash> hashes =
      communicator.all_gather_v(std::span(mine)).values;  // from the share of rank 0 on, in a ring
  const auto before_end = static_cast<std::ptrdiff_t>(leaves - boundary(rotation % size));
  std::rotate(hashes.begin(), hashes.begin() + before_end, hashes.end());

  std::vector<std::byte> tree(prefix.begin(), prefix.end());
  const auto bytes = std::as_bytes(std::span(hashes));
  tree.insert(tree.end(), bytes.begin(), bytes.end());
  return hash_of(tree);
}

}  // namespace tenfold::detail

#include "io/seal.hpp"

#include <fcntl.h>
#include <xxhash.h>

#include <algorithm>
#include <cstring>

#include "base/check.hpp"
#include "io/posix.hpp"

namespace tenfold::seal {

namespace {

// Offsets in the block; what is not named is zero.
constexpr std::size_t schema_at = 8;
constexpr std::size_t leaf_at = 12;
constexpr std::size_t length_at = 16;
constexpr std::size_t digest_at = 24;  ///< all before it goes into the digest

constexpr std::array<char, 8> magic = {'T', 'E', 'N', 'F', 'O', 'L', 'D', '\n'};

template <class Integer>
void put(Block& block, std::size_t at, Integer value) {
  for (std::size_t i = 0; i < sizeof value; ++i) block[at + i] = static_cast<std::byte>(value >> (8 * i));
}

template <class Integer>
Integer get(const Block& block, std::size_t at) {
  Integer value = 0;
  for (std::size_t i = 0; i < sizeof value; ++i) value |= std::to_integer<Integer>(block[at + i]) << (8 * i);
  return value;
}

}  // namespace

Beginning read_beginning(const std::string& path) {
  Beginning beginning;
  const detail::Descriptor file(path, O_RDONLY);
  beginning.length = file.length();
  file.forget_cache();
  file.read_at(std::span(beginning.block).first(std::min(beginning.length, seal_bytes)), 0);
  return beginning;
}

std::uint32_t schema_of(const Block& block) {
  return get<std::uint32_t>(block, schema_at);
}

std::string damage_of(const Beginning& beginning) {
  if (beginning.length <= seal_bytes) return text("it has only ", beginning.length, " bytes");
  if (std::memcmp(beginning.block.data(), magic.data(), magic.size()) != 0) return "it does not begin with a seal";
  const auto length = get<std::uint64_t>(beginning.block, length_at);
  if (length != beginning.length) return text("it has ", beginning.length, " bytes, its seal says ", length);
  return "";
}

std::string damage_of(const Beginning& beginning, std::span<const Hash> leaves) {
  const bool same = block_of(schema_of(beginning.block), beginning.length, leaves) == beginning.block;
  return same ? "" : "its content does not match its digest";
}

std::uint64_t leaves_of(std::uint64_t length) {
  return (length - seal_bytes + leaf_bytes - 1) / leaf_bytes;
}

Hash hash_leaf(std::span<const std::byte> bytes) {
  XXH128_canonical_t canonical;
  XXH128_canonicalFromHash(&canonical, XXH3_128bits(bytes.data(), bytes.size()));
  Hash hash;
  static_assert(sizeof canonical == sizeof hash);
  std::memcpy(hash.data(), &canonical, sizeof canonical);
  return hash;
}

std::vector<Hash> hash_leaves(const std::string& path, std::uint64_t length, std::uint64_t first, std::uint64_t last,
                              Progress& progress) {
  std::vector<Hash> hashes;
  hashes.reserve(last - first);
  const detail::Descriptor file(path, O_RDONLY);
  file.forget_cache();
  std::vector<std::byte> leaf(leaf_bytes);
  for (std::uint64_t i = first; i < last; ++i) {
    const std::uint64_t offset = seal_bytes + i * leaf_bytes;
    const std::span<std::byte> bytes(leaf.data(), std::min(leaf_bytes, length - offset));
    file.read_at(bytes, offset);
    hashes.push_back(hash_leaf(bytes));
    progress.tick();
  }
  return hashes;
}

Block block_of(std::uint32_t schema, std::uint64_t length, std::span<const Hash> leaves) {
  Block block{};
  std::memcpy(block.data(), magic.data(), magic.size());
  put(block, schema_at, schema);
  put(block, leaf_at, static_cast<std::uint32_t>(leaf_bytes));
  put(block, length_at, length);
  std::vector<std::byte> tree(block.begin(), block.begin() + digest_at);
  const auto hashes = std::as_bytes(leaves);
  tree.insert(tree.end(), hashes.begin(), hashes.end());
  const Hash digest = hash_leaf(tree);
  std::copy(digest.begin(), digest.end(), block.begin() + digest_at);
  return block;
}

void write_block(const std::string& path, const Block& block) {
  detail::Descriptor file(path, O_WRONLY);
  file.write_at(block, 0);
  file.sync();
}

std::string damage_of(const std::string& path, Progress& progress) {
  try {
    const Beginning beginning = read_beginning(path);
    if (std::string damage = damage_of(beginning); !damage.empty()) return damage;
    return damage_of(beginning, hash_leaves(path, beginning.length, 0, leaves_of(beginning.length), progress));
  } catch (const Error& error) {
    return error.what();
  }
}

}  // namespace tenfold::seal

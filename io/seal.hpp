#pragma once
// The seal of a checkpoint: its first 512 bytes (the HDF5 user block) tell the file's length and the digest of all the
// rest, a hash tree of one level over leaves of 1 MiB, which processes can share out. FORMATS.md has it byte by byte;
// that layout stays the same whatever the schema version of what follows. All functions are local.

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/progress.hpp"

namespace tenfold::seal {

constexpr std::uint64_t seal_bytes = 512;
constexpr std::uint64_t leaf_bytes = std::uint64_t{1} << 20U;

using Block = std::array<std::byte, seal_bytes>;
/// XXH3 with 128 bits in its canonical (big-endian) form.
using Hash = std::array<std::byte, 16>;

/// What a file begins with, and its length.
struct Beginning {
  Block block{};
  std::uint64_t length = 0;
};
Beginning read_beginning(const std::string& path);

/// Schema version of the content that follows.
std::uint32_t schema_of(const Block& block);
/// What is wrong with a file, as far as its beginning shows it; empty: nothing.
std::string damage_of(const Beginning& beginning);
/// The same once its leaves are hashed.
std::string damage_of(const Beginning& beginning, std::span<const Hash> leaves);

/// Leaves of a file of that length.
std::uint64_t leaves_of(std::uint64_t length);
Hash hash_leaf(std::span<const std::byte> bytes);
/// Hashes of leaves [first, last) of a file of that length, read from the disk, with a tick a leaf.
std::vector<Hash> hash_leaves(const std::string& path, std::uint64_t length, std::uint64_t first, std::uint64_t last,
                              Progress& progress);

/// The block that a file of this schema version and length with these leaves begins with.
Block block_of(std::uint32_t schema, std::uint64_t length, std::span<const Hash> leaves);
/// Puts the block in its place and syncs the file.
void write_block(const std::string& path, const Block& block);

/// Reads a whole file: what is wrong with it; empty: nothing. A file that cannot be read counts as damaged.
std::string damage_of(const std::string& path, Progress& progress);

}  // namespace tenfold::seal

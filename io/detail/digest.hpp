#pragma once
// The digest of a file that ranks can compute together: a tree of one level over leaves of 1 MiB.

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "parallel/mpi_communicator.hpp"

namespace tenfold::detail {

/// XXH3 with 128 bits in its canonical (big-endian) form.
using Hash = std::array<std::byte, 16>;

constexpr std::uint64_t leaf_bytes = std::uint64_t{1} << 20U;

/// Collective. Hash of `prefix` followed by the hashes of the leaves of bytes [begin, length) of the file; the last
/// leaf may be short. Each rank reads a share of the leaves, which `rotation` moves on to the next rank, so that a
/// second look at a file is taken from another machine than the first. All ranks throw if one cannot read its share.
Hash tree_hash(const std::string& path, std::uint64_t begin, std::uint64_t length, std::span<const std::byte> prefix,
               int rotation, MpiCommunicator& communicator);

}  // namespace tenfold::detail

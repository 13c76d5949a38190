#pragma once
// The seal of a checkpoint (io/seal.hpp), computed and checked by all ranks: each reads a share of the leaves. All
// functions are collective: the ranks return, or throw, alike.

#include <span>
#include <string>
#include <vector>

#include "io/seal.hpp"
#include "parallel/mpi_communicator.hpp"

namespace tenfold {

/// Leaves [first, last) of a file.
struct LeafRange {
  std::uint64_t first, last;
};
/// The share of the rank that comes `rotation` after this one, of a file of so many leaves.
LeafRange share_of(std::uint64_t leaves, int rotation, const Communicator& ranks);

/// Hashes of all leaves, from those of each rank's share under that rotation.
std::vector<seal::Hash> gather_leaves(std::span<const seal::Hash> mine, std::uint64_t leaves, int rotation,
                                      Communicator& ranks);

/// What rank 0 reads is what all ranks judge by.
seal::Beginning read_beginning(const std::string& path, MpiCommunicator& ranks);

/// Rank 0 puts the seal on a closed file and syncs it.
void write_seal(const std::string& path, std::uint32_t schema, MpiCommunicator& ranks);

/// Reads a file and compares it with its seal, each leaf by another rank than the one that hashed it for write_seal:
/// what is wrong; empty: nothing. A file that cannot be read counts as damaged.
std::string damage_of(const std::string& path, MpiCommunicator& ranks);

}  // namespace tenfold

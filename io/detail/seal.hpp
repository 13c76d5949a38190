#pragma once
// The seal of a checkpoint: its first 512 bytes (the HDF5 user block) tell the file's length and the digest of all the
// rest. FORMATS.md has it byte by byte; that layout stays the same whatever the schema version of what follows.

#include <cstdint>
#include <string>

#include "parallel/mpi_communicator.hpp"

namespace tenfold::detail {

constexpr std::uint64_t seal_bytes = 512;

struct SealCheck {
  std::string damage;        ///< why the file is not what was sealed; empty when it is
  std::uint32_t schema = 0;  ///< schema version of the content, when not damaged
};

/// Collective. Computes the digest of a closed file over all ranks, and rank 0 writes the seal and syncs the file.
void write_seal(const std::string& path, std::uint32_t schema, MpiCommunicator& communicator);

/// Collective. Reads the file over all ranks and compares it with its seal. All ranks get the same answer. A file that
/// cannot be read counts as damaged.
SealCheck check_seal(const std::string& path, MpiCommunicator& communicator);

}  // namespace tenfold::detail

#pragma once
// Names and order of the files in a checkpoint folder.

#include <cstdint>
#include <string>
#include <vector>

#include "parallel/mpi_communicator.hpp"

namespace tenfold::detail {

/// Newest schema version of a checkpoint's content that this code writes and reads.
constexpr std::uint32_t checkpoint_schema = 1;

/// "FOLDER/step-00001000.h5"
std::string checkpoint_path(const std::string& folder, std::int64_t step);

/// Collective. Paths of the checkpoints in a folder as rank 0 sees it, highest step first; none if there is no folder.
std::vector<std::string> newest_first(const std::string& folder, MpiCommunicator& communicator);

}  // namespace tenfold::detail

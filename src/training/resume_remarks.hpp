#pragma once
// What a resumed run says of the checkpoint that it goes on from.

#include <string>
#include <vector>

#include "config/settings.hpp"
#include "training/checkpoints.hpp"

namespace tenfold {

/// How much was read by so many ranks, and which files were passed over.
std::vector<std::string> remarks_on(const FoundCheckpoint& found, int ranks);

/// A line for each of pretrain's keys that has another value than in the checkpoint's configuration (INI text), and
/// what follows from it where that may surprise.
std::vector<std::string> changed_keys(const std::string& stored, const Settings& settings);

}  // namespace tenfold

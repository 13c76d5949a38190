#pragma once
// `tenfold inspect`: what is in a file of ours.

#include <string>

namespace tenfold {

/// Prints what a corpus, a checkpoint, a trace (also one being written) or a manifest holds, in words or as one JSON
/// object. Local to the calling rank. Throws InputError on a file that is missing, damaged or none of these.
void inspect(const std::string& file, bool json);

}  // namespace tenfold

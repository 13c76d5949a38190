#pragma once
// `tenfold inspect`: what is in a file of ours.

#include <string>
#include <vector>

namespace tenfold {

/// Prints what a corpus, a checkpoint, a trace (also one being written), a step dump or a manifest holds, in words or
/// as one JSON object; with `notes`, what the dictionary of a checkpoint wrote down about these rare words. Throws
/// InputError on a file that is missing, damaged or none of these, and on a word without a note.
void inspect(const std::string& file, const std::vector<std::string>& notes, bool json);

}  // namespace tenfold

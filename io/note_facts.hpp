#pragma once
// What a checkpoint's note dictionary holds.

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "io/checkpoint.hpp"

namespace tenfold {

/// Whether the checkpoint is of a run with notes.
bool has_notes(const Checkpoint& checkpoint);

/// Size of the dictionary and how much of it was written.
nlohmann::ordered_json note_dictionary_facts(const Checkpoint& checkpoint);

/// An object a word: updates, age (steps since the last one), norm, and the written notes nearest to it with their
/// cosine. Throws InputError on a word that is not in the dictionary, naming the nearest one by spelling.
nlohmann::ordered_json note_facts(const Checkpoint& checkpoint, const std::vector<std::string>& words);

}  // namespace tenfold

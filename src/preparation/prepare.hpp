#pragma once
// `tenfold prepare`: plain text to one corpus file.

#include "config/settings.hpp"
#include "process/runtime.hpp"

namespace tenfold {

/// Reads corpus.text, takes or trains the tokenizer, and writes corpus.file: the same data sets on any number of ranks.
/// The file appears under its name only when it is complete. Progress goes to standard error, what was chosen and done
/// to standard output. InputError (on all ranks) when the text, the given tokenizer or the place of the file is not
/// usable. Collective.
void prepare(const Settings& settings, Runtime& runtime);

}  // namespace tenfold

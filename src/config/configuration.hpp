#pragma once
// Configuration of a run: INI files and `--section.key=value` overrides, read by rank 0 (gather_sources), broadcast as
// text (serialise, deserialise) and parsed alike by every rank (parse_configuration) through the one options table.
// Across sources the later wins; the command line is the last. All errors of the user's are InputError.

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/settings.hpp"

namespace tenfold {

/// INI text and where it comes from: a file, or the command line (one `key=value` a line).
struct Source {
  std::string name;
  std::string text;
  bool command_line = false;
  bool operator==(const Source&) const = default;
};

/// Reads the files among the arguments, in order, and gathers the overrides as the last source. The only function here
/// that touches files. Throws InputError on a file that cannot be read or is no text, and on an argument that is
/// neither a file name nor `--section.key=value` nor an option of a call (`--key=value`, a flag also `--key`).
std::vector<Source> gather_sources(const std::vector<std::string>& arguments);

std::string serialise(const std::vector<Source>& sources);
std::vector<Source> deserialise(std::string_view bytes);

/// Settings of a command. A file may hold keys that only other commands read, so that one file can serve them all; on
/// the command line such a key is an error, and so is an option of a call in a file. Throws InputError on an unknown
/// key, a key given twice in one source, a value out of range, a conflict between keys, and a missing key that the
/// command needs.
Settings parse_configuration(std::string_view command, const std::vector<Source>& sources);

/// Fills parallel.data and data.micro_batch and checks them against the number of ranks; where that is not known
/// (plan), parallel.data stands for itself and is 1 if unset.
void resolve(Settings& settings, std::optional<int> world_size);

/// The keys that a command reads, as INI text: the printed effective configuration, which can be fed back in. Keys
/// without a meaning under these settings are left out.
std::string to_ini(const Settings& settings, std::string_view command);

/// The same by key (model.layers), for JSON; several values of one key are joined by ", ".
std::map<std::string, std::string> to_map(const Settings& settings, std::string_view command);

/// Settings from INI text that to_ini wrote, as stored in checkpoints; keys not named have their defaults.
Settings from_ini(const std::string& ini);

struct KeyDifference {
  std::string key;
  std::string a;  ///< value as text; "n/a" where the key has no meaning
  std::string b;
};
std::vector<KeyDifference> differences(const Settings& a, const Settings& b);

/// Those of pretrain's keys that differ and may not on resume: all but run.{folder,steps,resume,device},
/// data.micro_batch, data.corpus and tokenizer.* (a corpus is known by its digest, not by its path), parallel.*,
/// checkpoint.*, validation.*, log.* and debug.*.
std::vector<KeyDifference> differences_that_forbid_resume(const Settings& stored, const Settings& given);

}  // namespace tenfold

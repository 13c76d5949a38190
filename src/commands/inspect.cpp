// Facts are gathered as one JSON object a file, which is printed as it is or rendered in words.

#include "commands/inspect.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <map>
#include <nlohmann/json.hpp>

#include "base/check.hpp"
#include "config/configuration.hpp"
#include "io/checkpoint.hpp"
#include "io/corpus.hpp"
#include "io/manifest.hpp"
#include "io/note_facts.hpp"
#include "io/step_dump.hpp"
#include "io/trace.hpp"

namespace tenfold {

using Json = nlohmann::ordered_json;

namespace {

// Facts.

constexpr std::int64_t sample_tokens = 64;
constexpr std::size_t sample_words = 20;

Json corpus_facts(const std::string& path) {
  const Corpus corpus(path);
  Json facts = {{"kind", "corpus"}};
  facts.update(Json(corpus.describe()));
  std::vector<RareWord> rare = corpus.rare_words();
  rare.resize(std::min(rare.size(), sample_words));
  for (const RareWord& word : rare) facts["most_frequent_rare_words"][word.text] = word.count;
  const std::int64_t length = std::min(sample_tokens, corpus.tokens(Split::train));
  std::vector<std::int32_t> tokens(static_cast<std::size_t>(length));
  corpus.read_tokens(Split::train, 0, tokens);
  facts["sample"] = corpus.tokenizer().decode(tokens);
  return facts;
}

std::string format_of(const std::string& path) {
  try {
    const hdf5::File file = hdf5::File::open(path, hdf5::Access::swmr_read);
    if (file.has_attribute("format")) return file.text_attribute("format");
  } catch (const InputError&) {
    throw;
  } catch (const Error& error) {
    throw InputError(text("damaged, or no file of tenfold: ", error.what()));
  }
  return "";
}

/// The INI text of `configuration` as values by key.
Json with_settings(Json facts) {
  facts["configuration"] = to_map(from_ini(facts.at("configuration").get<std::string>()), "pretrain");
  return facts;
}

Json checkpoint_notes(const std::string& path, const std::vector<std::string>& words) {
  if (format_of(path) != "checkpoint") throw InputError(text("--notes needs a checkpoint, which ", path, " is not"));
  const Checkpoint checkpoint(path);
  if (!has_notes(checkpoint))
    throw InputError(text(path, " has no notes: its run was not one with notes.enabled = true"));
  return {{"kind", "checkpoint"},
          {"step", checkpoint.step()},
          {"note_dictionary", note_dictionary_facts(checkpoint)},
          {"notes", note_facts(checkpoint, words)}};
}

Json manifest_facts(const std::string& path) {
  Json facts = {{"kind", "manifest"}};
  facts.update(read_manifest(path));
  return facts;
}

/// The texts of a run folder, known by their names.
const std::map<std::string, const char*> text_kinds = {
    {"log.txt", "log"}, {"mllog.txt", "MLPerf log"}, {"lock", "lock"}};

Json text_facts(const std::string& path, const std::string& kind) {
  std::ifstream file(path);
  std::int64_t lines = 0;
  std::string last;
  for (std::string line; std::getline(file, line); ++lines) last = line;
  if (!file.eof()) throw InputError(text(path, ": cannot read this file: ", std::strerror(errno)));
  return {{"kind", kind}, {"lines", lines}, {"last_line", last}};
}

Json facts_of(const std::string& path) {
  const auto known = text_kinds.find(std::filesystem::path(path).filename());
  if (known != text_kinds.end()) return text_facts(path, known->second);
  std::ifstream file(path, std::ios::binary);
  if (file && file.peek() == '{') return manifest_facts(path);
  const std::string format = format_of(path);
  if (format == "corpus") return corpus_facts(path);
  if (format == "checkpoint") return with_settings(Checkpoint(path).describe());
  if (format == "trace") return with_settings(TraceReader(path).describe());
  if (format == "step dump") return with_settings(describe_step_dump(path));
  throw InputError(text(path, " is an HDF5 file, but no corpus, checkpoint, trace or step dump of tenfold"));
}

// Words.

constexpr std::size_t name_width = 30;

const std::map<std::string, const char*> explanations = {
    {"corpus", "text as tokens, ready for training"},
    {"checkpoint", "all that a run needs to go on after a step, whatever the number of ranks"},
    {"trace", "what a run measured, by step"},
    {"step dump", "one optimizer step in full, for comparison with another program"},
    {"manifest", "what a run was made of and how its jobs ended"},
    {"log", "what a run said"},
    {"MLPerf log", "events of a run in the format of MLPerf's logging library"},
    {"lock", "names the job that writes to the folder; empty: none does"}};

std::string padded(std::string words, std::size_t width) {
  words.resize(std::max(words.size(), width), ' ');
  return words;
}

std::string scalar_words(const Json& value) {
  if (value.is_string()) return value.get<std::string>();
  if (value.is_number_float()) return text(value.get<double>());
  if (value.is_null()) return "n/a";
  if (!value.is_array()) return value.dump();
  std::string list;
  for (const Json& item : value) list += (list.empty() ? "" : ", ") + scalar_words(item);
  return list;
}

/// An array of objects as a table whose columns are the keys of the first.
void print_table(const Json& rows, const std::string& indent) {
  std::vector<std::size_t> widths;
  for (const auto& [key, value] : rows.front().items()) {
    std::size_t width = key.size();
    for (const Json& row : rows) width = std::max(width, scalar_words(row.value(key, Json())).size());
    widths.push_back(width + 2);
  }
  const auto print_row = [&](auto cell) {
    std::string line = indent;
    std::size_t column = 0;
    for (const auto& [key, value] : rows.front().items()) line += padded(cell(key), widths[column++]);
    std::cout << line.substr(0, line.find_last_not_of(' ') + 1) << '\n';
  };
  print_row([](const std::string& key) { return key; });
  for (const Json& row : rows) print_row([&](const std::string& key) { return scalar_words(row.value(key, Json())); });
}

bool is_table(const Json& value) {
  const auto is_flat = [](const Json& row) {
    return row.is_object() && std::none_of(row.begin(), row.end(), [](const Json& cell) { return cell.is_object(); });
  };
  return value.is_array() && !value.empty() && std::all_of(value.begin(), value.end(), is_flat);
}

bool is_nested(const Json& value) {
  return value.is_object() || (value.is_array() && !value.empty() && value.front().is_object());
}

/// Plain values first, then what has parts.
void print_object(const Json& object, const std::string& indent) {
  for (const auto& [key, value] : object.items()) {
    if (!is_nested(value)) std::cout << indent << padded(key, name_width) << ' ' << scalar_words(value) << '\n';
  }
  for (const auto& [key, value] : object.items()) {
    if (!is_nested(value)) continue;
    if (value.is_array() && !is_table(value)) {
      for (std::size_t i = 0; i < value.size(); ++i) print_object({{text(key, ' ', i + 1), value[i]}}, indent);
      continue;
    }
    std::cout << '\n' << indent << key << ":\n";
    value.is_object() ? print_object(value, indent + "  ") : print_table(value, indent + "  ");
  }
}

}  // namespace

void inspect(const std::string& file, const std::vector<std::string>& notes, bool json) {
  const Json facts = notes.empty() ? facts_of(file) : checkpoint_notes(file, notes);
  if (json) {
    std::cout << facts.dump(2, ' ', false, Json::error_handler_t::replace) << '\n';
  } else {
    const auto& [kind, explanation] = *explanations.find(facts.at("kind").get<std::string>());
    std::cout << file << " is a " << kind << " of tenfold: " << explanation << ".\n\n";
    print_object(facts, "");
  }
}

}  // namespace tenfold

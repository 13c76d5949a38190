// Facts are gathered as one JSON object a file, which is printed as it is or rendered in words.

#include "commands/inspect.hpp"

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <map>
#include <nlohmann/json.hpp>
#include <numeric>

#include "base/check.hpp"
#include "commands/note_facts.hpp"
#include "config/configuration.hpp"
#include "io/checkpoint.hpp"
#include "io/corpus.hpp"
#include "io/manifest.hpp"
#include "io/schema.hpp"
#include "io/trace.hpp"

namespace tenfold {
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

/// Euclidean norm of a tensor of which read(begin, values) brings elements from `begin` on.
template <class Read>
double norm_of(std::int64_t elements, const Read& read) {
  constexpr std::int64_t part = 1 << 20;
  std::vector<float> values;
  double sum = 0;
  for (std::int64_t begin = 0; begin < elements; begin += part) {
    values.resize(static_cast<std::size_t>(std::min(part, elements - begin)));
    read(begin, std::span(values));
    for (const float value : values) sum += static_cast<double>(value) * value;
  }
  return std::sqrt(sum);
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

Json checkpoint_facts(const std::string& path, MpiCommunicator& alone) {
  const Checkpoint checkpoint(path, alone);
  const std::string prefix = "weights/";
  std::int64_t scalars = 0;
  Json table = Json::array();
  for (const std::string& name : checkpoint.tensors()) {
    if (!name.starts_with(prefix)) continue;
    const Shape shape = checkpoint.shape(name);
    scalars += shape.elements();
    const double norm = norm_of(
        shape.elements(), [&](std::int64_t begin, std::span<float> values) { checkpoint.read(name, begin, values); });
    table.push_back({{"name", name.substr(prefix.size())}, {"shape", shape.extents()}, {"norm", norm}});
  }
  const Tokenizer tokenizer(checkpoint.bytes("tokenizer"), path);
  Json facts = {{"kind", "checkpoint"},
                {"step", checkpoint.step()},
                {"tokens_seen", checkpoint.integer("tokens")},
                {"updates", checkpoint.integer("updates")},
                {"skipped_steps", checkpoint.integer("skipped")},
                {"parameters", scalars},
                {"vocabulary_size", tokenizer.vocabulary_size()},
                {"corpus_digest", checkpoint.text("corpus_digest")},
                {"configuration", to_map(from_ini(checkpoint.text("configuration")), "pretrain")}};
  if (has_notes(checkpoint)) facts["note_dictionary"] = note_dictionary_facts(checkpoint);
  facts["weights"] = table;
  return facts;
}

Json checkpoint_notes(const std::string& path, const std::vector<std::string>& words, MpiCommunicator& alone) {
  if (format_of(path) != "checkpoint") throw InputError(text("--notes needs a checkpoint, which ", path, " is not"));
  const Checkpoint checkpoint(path, alone);
  if (!has_notes(checkpoint))
    throw InputError(text(path, " has no notes: its run was not one with notes.enabled = true"));
  return {{"kind", "checkpoint"},
          {"step", checkpoint.step()},
          {"note_dictionary", note_dictionary_facts(checkpoint)},
          {"notes", note_facts(checkpoint, words)}};
}

Json number(double value) {
  if (value == std::floor(value) && std::abs(value) < 0x1p53) return static_cast<std::int64_t>(value);
  return value;
}

Json trace_facts(const std::string& path) {
  const TraceReader trace(path);
  Json facts = {{"kind", "trace"},
                {"version", trace.text("version")},
                {"seed", trace.integer("seed")},
                {"hosts", trace.list("hosts")}};
  for (const std::string& table : trace.tables()) {
    Json& described = facts[table] = {{"columns", trace.columns(table)}, {"rows", trace.rows(table)}};
    for (const std::string& name : trace.columns(table)) {
      const auto values = trace.column<double>(table, name);
      if (!values.empty()) described["last_row"][name] = number(values.back());
      if (name == "seconds") described["seconds_in_steps"] = std::accumulate(values.begin(), values.end(), 0.0);
    }
  }
  facts["configuration"] = to_map(from_ini(trace.text("configuration")), "pretrain");
  return facts;
}

Json step_dump_facts(const std::string& path) {
  const hdf5::File file = hdf5::File::open(path);
  expect_schema(file, "step dump", 1);
  if (!file.has_attribute("loss")) throw InputError(text(path, " is not complete: its run ended within that step"));
  Json facts = {{"kind", "step dump"}};
  for (const char* name : {"step", "selected", "notes"})
    if (file.has_attribute(name)) facts[name] = file.integer_attribute(name);
  facts["loss"] = file.real_attribute("loss");
  facts["configuration"] = to_map(from_ini(file.read_text("configuration")), "pretrain");
  const auto norm = [&](const std::string& name) {
    const hdf5::Dataset tensor = file.dataset(name);
    const hdf5::Extents extents = tensor.extents();
    const auto elements = std::reduce(extents.begin(), extents.end(), hsize_t{1}, std::multiplies<>());
    return norm_of(static_cast<std::int64_t>(elements), [&](std::int64_t begin, std::span<float> values) {
      tensor.read_range(DType::f32, values.data(), static_cast<hsize_t>(begin), values.size());
    });
  };
  for (const char* group : {"batch", "draws", "notes"}) {
    if (!file.has(group)) continue;
    for (const std::string& name : file.open_group(group).names())
      facts["data"].push_back(
          {{"name", text(group, '/', name)}, {"shape", file.dataset(text(group, '/', name)).extents()}});
  }
  for (const std::string& name : file.open_group("parameters").names())
    facts["parameters"].push_back({{"name", name},
                                   {"shape", file.dataset("parameters/" + name).extents()},
                                   {"norm", norm("parameters/" + name)},
                                   {"gradient_norm", norm("gradients/" + name)}});
  return facts;
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

Json facts_of(const std::string& path, MpiCommunicator& alone) {
  const auto known = text_kinds.find(std::filesystem::path(path).filename());
  if (known != text_kinds.end()) return text_facts(path, known->second);
  std::ifstream file(path, std::ios::binary);
  if (file && file.peek() == '{') return manifest_facts(path);
  const std::string format = format_of(path);
  if (format == "corpus") return corpus_facts(path);
  if (format == "checkpoint") return checkpoint_facts(path, alone);
  if (format == "trace") return trace_facts(path);
  if (format == "step dump") return step_dump_facts(path);
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

void inspect(const std::string& file, const std::vector<std::string>& notes, bool json, MpiCommunicator& alone) {
  const Json facts = notes.empty() ? facts_of(file, alone) : checkpoint_notes(file, notes, alone);
  if (json) {
    std::cout << facts.dump(2, ' ', false, Json::error_handler_t::replace) << '\n';
  } else {
    const auto& [kind, explanation] = *explanations.find(facts.at("kind").get<std::string>());
    std::cout << file << " is a " << kind << " of tenfold: " << explanation << ".\n\n";
    print_object(facts, "");
  }
}

}  // namespace tenfold

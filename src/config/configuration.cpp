#include "config/configuration.hpp"

#include <algorithm>
#include <boost/program_options/errors.hpp>
#include <boost/program_options/parsers.hpp>

#include "base/check.hpp"
#include "config/detail/option.hpp"

namespace tenfold {
namespace {

using detail::Option;

/// What one source says of one key: its values in order.
struct Entry {
  std::string key;
  std::vector<std::string> values;
};

/// Who named a key last, and whether it had a meaning then. A later source may take the meaning away: what a method's
/// file says is overridden so, not wrong.
struct Naming {
  std::string source;
  bool applied = false;
};

/// Boost's parser would read before the beginning of an empty section name.
void refuse_empty_section(const Source& source) {
  std::istringstream lines(source.text);
  for (std::string line; std::getline(lines, line);) {
    const auto begin = line.find_first_not_of(" \t");
    if (begin != std::string::npos && line.compare(begin, 2, "[]") == 0) {
      throw InputError(text(source.name, ": [] is not a section"));
    }
  }
}

std::vector<Entry> entries_of(const Source& source) {
  namespace po = boost::program_options;
  refuse_empty_section(source);
  std::vector<Entry> entries;
  std::istringstream stream(source.text);
  try {
    constexpr bool allow_unregistered = true;  // unknown keys are ours to explain
    for (const auto& option : po::parse_config_file(stream, po::options_description(), allow_unregistered).options) {
      const auto same = [&](const Entry& entry) { return entry.key == option.string_key; };
      const auto found = std::find_if(entries.begin(), entries.end(), same);
      Entry& entry = found != entries.end() ? *found : entries.emplace_back(Entry{option.string_key, {}});
      entry.values.insert(entry.values.end(), option.value.begin(), option.value.end());
    }
  } catch (const po::error& error) {
    throw InputError(text(source.name, ": is not INI text of [section] and key = value lines: ", error.what()));
  }
  return entries;
}

const Option& option_of(const Source& source, const std::string& key) {
  const Option* option = detail::find_option(key);
  if (option == nullptr) {
    throw InputError(text(source.name, ": unknown key ", key, "; did you mean ", detail::nearest_key(key), "?"));
  }
  if (option->of_call() && !source.command_line) {
    throw InputError(text(source.name, ": ", key, " stands on the command line only: --", key));
  }
  return *option;
}

void apply(const Source& source, const Option& option, const Entry& entry, Settings& settings) {
  if (entry.values.size() > 1 && !option.field.repeats) {
    throw InputError(text(source.name, ": ", option.key, " is given twice: keep one of ", entry.values[0], " and ",
                          entry.values[1]));
  }
  if (!option.field.read(settings, entry.values)) {
    throw InputError(text(source.name, ": ", option.key, " = ", entry.values.back(), " is not allowed; expected ",
                          option.field.describe, option.unit.empty() ? "" : " (" + option.unit + ")"));
  }
}

std::string joined(const std::vector<std::string>& texts) {
  std::string list;
  for (const std::string& text : texts) list += list.empty() ? text : ", " + text;
  return list;
}

void check_needed(const Command& command, const Settings& settings) {
  for (const Option& option : detail::options()) {
    if (option.needed_for(command) && joined(option.field.print(settings)).empty()) {
      throw InputError(
          text(option.key, " is missing, which ", command.name, " needs: --", option.key, "=... (", option.help, ")"));
    }
  }
}

/// Whether the option is part of the configuration of this command's runs.
bool configures(const Option& option, const Command& command, const Settings& settings) {
  return option.read_by(command) && !option.of_call() && option.applies(settings);
}

}  // namespace

Settings parse_configuration(std::string_view command_name, const std::vector<Source>& sources) {
  const Command& command = command_named(command_name);
  Settings settings;
  std::map<const Option*, Naming> named;  // the last; ordered as the table
  for (const Source& source : sources) {
    std::vector<const Option*> of_source;
    for (const Entry& entry : entries_of(source)) {
      const Option& option = option_of(source, entry.key);
      if (source.command_line && !option.read_by(command)) {
        throw InputError(text(source.name, ": ", command.name, " does not read ", option.key, "; see tenfold ",
                              command.name, " --help"));
      }
      apply(source, option, entry, settings);
      of_source.push_back(&option);
    }
    for (const Option* option : of_source) named[option] = {source.name, option->applies(settings)};
  }
  for (const auto& [option, by] : named) {
    if (!option->applies(settings) && !by.applied)
      throw InputError(
          text(by.source, ": ", option->key, " has a meaning only with ", option->only_with->words, ": remove it"));
  }
  check_needed(command, settings);
  detail::check_conflicts(settings);
  return settings;
}

std::string to_ini(const Settings& settings, std::string_view command_name) {
  const Command& command = command_named(command_name);
  std::string ini;
  std::string section;
  for (const Option& option : detail::options()) {
    if (!configures(option, command, settings)) continue;
    if (option.section() != section) {
      section = option.section();
      ini += text(ini.empty() ? "" : "\n", '[', section, "]\n");
    }
    for (const std::string& value : option.field.print(settings)) ini += text(option.name(), " = ", value, '\n');
  }
  return ini;
}

std::map<std::string, std::string> to_map(const Settings& settings, std::string_view command_name) {
  const Command& command = command_named(command_name);
  std::map<std::string, std::string> values;
  for (const Option& option : detail::options()) {
    if (configures(option, command, settings)) values[option.key] = joined(option.field.print(settings));
  }
  return values;
}

Settings from_ini(const std::string& ini) {
  const Source stored{.name = "stored configuration", .text = ini};
  Settings settings;
  for (const Entry& entry : entries_of(stored)) apply(stored, option_of(stored, entry.key), entry, settings);
  return settings;
}

std::vector<KeyDifference> differences(const Settings& a, const Settings& b) {
  std::vector<KeyDifference> list;
  for (const Option& option : detail::options()) {
    if (option.of_call()) continue;
    const auto print = [&](const Settings& settings) {
      return option.applies(settings) ? joined(option.field.print(settings)) : "n/a";
    };
    if (print(a) != print(b)) list.push_back({option.key, print(a), print(b)});
  }
  return list;
}

std::vector<KeyDifference> differences_that_forbid_resume(const Settings& stored, const Settings& given) {
  std::vector<KeyDifference> list = differences(stored, given);
  const Command& pretrain = command_named("pretrain");
  std::erase_if(list, [&](const KeyDifference& difference) {
    const Option* option = detail::find_option(difference.key);
    return !option->read_by(pretrain) || option->may_differ_on_resume();
  });
  return list;
}

}  // namespace tenfold

// Look-up of commands and keys by name, and the help texts.

#include <algorithm>
#include <cstring>

#include "base/check.hpp"
#include "base/edit_distance.hpp"
#include "config/configuration.hpp"
#include "config/detail/option.hpp"

namespace tenfold {
namespace detail {
namespace {

template <class Items, class Name>
const auto& nearest(std::string_view given, const Items& items, Name name) {
  return *std::min_element(items.begin(), items.end(), [&](const auto& a, const auto& b) {
    return edit_distance(given, name(a)) < edit_distance(given, name(b));
  });
}

}  // namespace

const Command& find_command(std::string_view name) {
  for (const Command& command : commands()) {
    if (name == command.name) return command;
  }
  const Command& meant = nearest(name, commands(), [](const Command& command) { return command.name; });
  throw InputError(text("unknown command ", name, "; did you mean ", meant.name, "? (tenfold --help lists all)"));
}

const Option* find_option(std::string_view key) {
  const auto found = std::find_if(options().begin(), options().end(), [&](const Option& o) { return o.key == key; });
  return found == options().end() ? nullptr : &*found;
}

std::string nearest_key(std::string_view key) {
  const bool has_section = key.find('.') != std::string_view::npos;
  return nearest(key, options(), [&](const Option& option) { return has_section ? option.key : option.name(); }).key;
}

}  // namespace detail

std::string help() {
  std::string page = "tenfold COMMAND ...\n\nPre-trains BERT-style text encoders, alone or under mpirun or srun.\n\n";
  for (const detail::Command& command : detail::commands()) {
    page += text("  ", command.name, std::string(10 - std::strlen(command.name), ' '), command.summary, '\n');
  }
  return page + "\ntenfold COMMAND --help lists what a command reads; tenfold --version names the build.\n";
}

std::string help(std::string_view command_name) {
  const detail::Command& command = detail::find_command(command_name);
  std::string page = text("tenfold ", command.name, ' ', command.usage, "\n\n", command.summary, ".\n");
  if (command.bit == 0) return page;
  page += "Later files win over earlier ones, the command line over files; in a file, # starts a comment.\n";
  const Settings defaults;
  std::string section;
  for (const detail::Option& option : detail::options()) {
    if (!option.read_by(command.bit)) continue;
    if (option.section() != section) {
      section = option.section();
      page += text("\n[", section, "]\n");
    }
    const auto values = option.field.print(defaults);
    std::string line = text("  ", option.name(), " =", values.empty() || values[0].empty() ? "" : " " + values[0]);
    line.resize(std::max<std::size_t>(line.size(), 32), ' ');
    page += text(line, ' ', option.help, '\n', std::string(33, ' '), '(', option.field.describe,
                 option.unit.empty() ? "" : "; " + option.unit,
                 option.only_with == nullptr ? "" : text("; only with ", option.only_with->words),
                 option.needed_for(command.bit) ? "; required" : "", ")\n");
  }
  return page;
}

}  // namespace tenfold

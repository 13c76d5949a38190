// Look-up of keys by name, and the help texts.

#include <algorithm>
#include <cctype>

#include "base/check.hpp"
#include "config/command.hpp"
#include "config/detail/nearest.hpp"
#include "config/detail/option.hpp"

namespace tenfold {
namespace detail {

const Option* find_option(std::string_view key) {
  const auto found = std::find_if(options().begin(), options().end(), [&](const Option& o) { return o.key == key; });
  return found == options().end() ? nullptr : &*found;
}

std::string nearest_key(std::string_view key) {
  const bool has_section = key.find('.') != std::string_view::npos;
  return nearest(key, options(), [&](const Option& option) { return has_section ? option.key : option.name(); }).key;
}

}  // namespace detail

namespace {

using detail::Option;

std::string capitals(std::string word) {
  for (char& letter : word) letter = static_cast<char>(std::toupper(letter));
  return word;
}

/// Whether the command reads keys of runs.
bool is_configured(const Command& command) {
  return std::ranges::any_of(detail::options(),
                             [&](const Option& option) { return option.read_by(command) && !option.of_call(); });
}

/// "--json", "--notes=word,...".
std::string spelled(const Option& option) {
  return "--" + option.key + (option.field.flag ? "" : "=" + option.field.describe);
}

/// A line of a help text: the option with its default, what it is, and its values.
std::string row(const Option& option, const Command& command) {
  const auto values = option.field.print(Settings());
  std::string line = option.of_call()
                         ? "  " + spelled(option)
                         : text("  ", option.name(), " =", values.empty() || values[0].empty() ? "" : " " + values[0]);
  line.resize(std::max<std::size_t>(line.size(), 32), ' ');
  return text(line, ' ', option.help, '\n', std::string(33, ' '), '(', option.field.describe,
              option.unit.empty() ? "" : "; " + option.unit,
              option.only_with == nullptr ? "" : text("; only with ", option.only_with->words),
              option.needed_for(command) ? "; required" : "", ")\n");
}

}  // namespace

std::string usage(const Command& command) {
  std::string line =
      text("tenfold ", command.name, ' ', command.subject.empty() ? "[CONFIG.ini ...]" : capitals(command.subject));
  if (is_configured(command)) line += " [--section.key=value ...]";
  for (const Option& option : detail::options()) {
    if (option.of_call() && option.read_by(command)) line += text(" [", spelled(option), ']');
  }
  return line;
}

std::string help() {
  std::string page = "tenfold COMMAND ...\n\nPre-trains BERT-style text encoders, alone or under mpirun or srun.\n\n";
  for (const Command& command : commands()) {
    page += text("  ", command.name, std::string(10 - command.name.size(), ' '), command.summary, '\n');
  }
  return page + "\ntenfold COMMAND --help lists what a command reads; tenfold --version names the build.\n";
}

std::string help(const Command& command) {
  std::string page = text(usage(command), "\n\n", command.summary, ".\n");
  if (is_configured(command))
    page += "Later files win over earlier ones, the command line over files; in a file, # starts a comment.\n";
  std::string section = "none yet";
  for (const Option& option : detail::options()) {
    if (!option.read_by(command)) continue;
    if (option.section() != section) {
      section = option.section();
      page += option.of_call() ? "\non the command line only:\n" : text("\n[", section, "]\n");
    }
    page += row(option, command);
  }
  return page;
}

}  // namespace tenfold

// From arguments to INI texts, and these as bytes for a broadcast.

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "base/check.hpp"
#include "config/configuration.hpp"
#include "config/detail/option.hpp"

namespace tenfold {
namespace {

constexpr std::streamsize longest_file = 1 << 20;

std::string read_text(const std::string& name) {
  std::error_code status;
  if (std::filesystem::is_directory(name, status)) {
    throw InputError(text(name, ": is a folder, not a configuration file"));
  }
  std::ifstream file(name, std::ios::binary);
  if (!file) throw InputError(text(name, ": cannot read this configuration file: ", std::strerror(errno)));
  std::string bytes(longest_file + 1, '\0');
  file.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  if (file.bad()) throw InputError(text(name, ": reading failed: ", std::strerror(errno)));
  bytes.resize(static_cast<std::size_t>(file.gcount()));
  if (file.gcount() > longest_file || bytes.find('\0') != std::string::npos) {
    throw InputError(text(name, ": is not a configuration file: expected INI text of at most 1 MiB"));
  }
  constexpr std::string_view byte_order_mark = "\xEF\xBB\xBF";
  return bytes.starts_with(byte_order_mark) ? bytes.substr(byte_order_mark.size()) : bytes;
}

/// Whether the argument is an option of a call without a value: a flag, or unknown, which the parser explains.
bool is_bare(const std::string& argument) {
  if (argument.size() < 3 || argument.find_first_of(".=") != std::string::npos) return false;
  const detail::Option* option = detail::find_option(argument.substr(2));
  return option == nullptr || option->field.flag;
}

/// "--section.key=value" or "--flag" as a line of INI text.
std::string override_line(const std::string& argument) {
  const auto equals = argument.find('=');
  const bool bare = is_bare(argument);
  if (!argument.starts_with("--") || (equals == std::string::npos && !bare) || argument.find('[') < equals) {
    throw InputError(text("command line: ", argument, " is neither a file nor --section.key=value"));
  }
  if (argument.find_first_of("#\r\n") != std::string::npos) {
    throw InputError(
        text("command line: ", argument, ": a value cannot hold '#' or a line break, which INI cannot store"));
  }
  return argument.substr(2) + (bare ? "=true\n" : "\n");
}

}  // namespace

std::vector<Source> gather_sources(const std::vector<std::string>& arguments) {
  std::vector<Source> sources;
  Source overrides{.name = "command line", .text = "", .command_line = true};
  for (const std::string& argument : arguments) {
    if (argument.starts_with('-')) overrides.text += override_line(argument);
  }
  for (const std::string& argument : arguments) {
    if (!argument.starts_with('-')) sources.push_back({.name = argument, .text = read_text(argument)});
  }
  sources.push_back(std::move(overrides));
  return sources;
}

std::string serialise(const std::vector<Source>& sources) {
  std::string bytes;
  for (const Source& source : sources) {
    bytes +=
        text(source.command_line, ' ', source.name.size(), ' ', source.text.size(), '\n', source.name, source.text);
  }
  return bytes;
}

std::vector<Source> deserialise(std::string_view bytes) {
  std::vector<Source> sources;
  std::istringstream in{std::string(bytes)};
  for (Source source; in.peek() != std::istringstream::traits_type::eof(); sources.push_back(source)) {
    std::size_t name_size = 0;
    std::size_t text_size = 0;
    in >> source.command_line >> name_size >> text_size;
    TENFOLD_VERIFY(in.get() == '\n' && name_size + text_size <= bytes.size(), "damaged configuration of ", bytes.size(),
                   " bytes");
    source.name.resize(name_size);
    source.text.resize(text_size);
    in.read(source.name.data(), static_cast<std::streamsize>(name_size));
    in.read(source.text.data(), static_cast<std::streamsize>(text_size));
    TENFOLD_VERIFY(in, "truncated configuration of ", bytes.size(), " bytes");
  }
  return sources;
}

}  // namespace tenfold

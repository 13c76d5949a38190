#pragma once
// One row of the options table, the commands that read it, and look-up.

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "config/command.hpp"
#include "config/detail/value.hpp"
#include "config/settings.hpp"

namespace tenfold::detail {

/// Typed access to one field of Settings, as texts: one, but for keys that may repeat.
struct Field {
  std::string describe;  ///< type and range
  bool repeats = false;
  bool flag = false;                                                     ///< a choice between true and false
  std::function<bool(Settings&, const std::vector<std::string>&)> read;  ///< false: not of this type or out of range
  std::function<std::vector<std::string>(const Settings&)> print;
};

/// When a key has a meaning; naming it otherwise is an error.
struct Condition {
  const char* words;
  bool (*holds)(const Settings&);
};

// Who reads a key, who cannot do without it, and whether it may differ on resume: Option::use is a sum of these.
constexpr unsigned bit(CommandKind kind) {
  return 1U << static_cast<unsigned>(kind);
}
constexpr unsigned prepare = bit(CommandKind::prepare), pretrain = bit(CommandKind::pretrain),
                   inspect = bit(CommandKind::inspect), bench = bit(CommandKind::bench), plan = bit(CommandKind::plan);
constexpr unsigned elastic = 1U << 31U;
constexpr unsigned needed_by(unsigned commands) {
  return commands | commands << 15U;
}

struct Option {
  std::string key;  ///< section.name; a name alone is an option of a call, which stands on the command line only
  unsigned use;
  Field field;
  std::string unit;
  std::string help;
  const Condition* only_with = nullptr;

  bool of_call() const { return key.find('.') == std::string::npos; }
  std::string section() const { return of_call() ? "" : key.substr(0, key.find('.')); }
  std::string name() const { return key.substr(key.find('.') + 1); }
  bool read_by(const Command& command) const { return (use & bit(command.kind)) != 0; }
  bool needed_for(const Command& command) const { return (use & bit(command.kind) << 15U) != 0; }
  bool may_differ_on_resume() const { return (use & elastic) != 0; }
  bool applies(const Settings& settings) const { return only_with == nullptr || only_with->holds(settings); }
};

/// The one options table, by section; options of a call come last.
const std::vector<Option>& options();

/// The option of that key, or null.
const Option* find_option(std::string_view key);
/// The key that was probably meant; for a name without a section that of any section.
std::string nearest_key(std::string_view key);

/// Throws InputError on settings that contradict each other, whatever the number of ranks.
void check_conflicts(const Settings& settings);

}  // namespace tenfold::detail

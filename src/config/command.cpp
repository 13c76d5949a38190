// The list of commands, and look-up by name.

#include "config/command.hpp"

#include <algorithm>

#include "base/check.hpp"
#include "config/detail/nearest.hpp"

namespace tenfold {

const std::vector<Command>& commands() {
  static const std::vector<Command> table = {
      {.kind = CommandKind::prepare, .name = "prepare", .summary = "Turn plain text into a corpus file"},
      {.kind = CommandKind::pretrain,
       .name = "pretrain",
       .summary = "Train an encoder on a corpus",
       .saves_when_asked = true},
      {.kind = CommandKind::inspect,
       .name = "inspect",
       .summary = "Explain a corpus or a file of a run; show what a checkpoint noted",
       .subject = "file",
       .answers = true},
      {.kind = CommandKind::bench,
       .name = "bench",
       .summary = "Time training steps and kernels against the speed of matrix products",
       .answers = true},
      {.kind = CommandKind::plan,
       .name = "plan",
       .summary = "Print parameters, memory a rank, operations and bytes communicated a step, without training",
       .answers = true},
  };
  return table;
}

const Command* find_command(std::string_view name) {
  const auto found = std::ranges::find(commands(), name, &Command::name);
  return found == commands().end() ? nullptr : &*found;
}

const Command& command_named(std::string_view name) {
  if (const Command* command = find_command(name)) return *command;
  const Command& meant = detail::nearest(name, commands(), [](const Command& command) { return command.name; });
  throw InputError(text("unknown command ", name, "; did you mean ", meant.name, "? (tenfold --help lists all)"));
}

}  // namespace tenfold

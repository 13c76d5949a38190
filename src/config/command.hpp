#pragma once
// The one list of commands. What depends on which command it is follows from a row here or from a `switch` over its
// kind.

#include <string>
#include <string_view>
#include <vector>

namespace tenfold {

enum class CommandKind { prepare, pretrain, inspect, bench, plan };

struct Command {
  CommandKind kind;
  std::string name;
  std::string summary;
  std::string subject = "";  ///< the one thing that it works on, named beside options; empty: it takes configurations
  bool saves_when_asked = false;  ///< SIGUSR1 and SIGTERM ask it to save and stop; to the others they mean the end
  bool answers = false;           ///< what it prints is all that was asked for
};

const std::vector<Command>& commands();
/// The command of that name, or null.
const Command* find_command(std::string_view name);
/// Throws InputError on an unknown command, naming the nearest.
const Command& command_named(std::string_view name);

/// How it is called, from its subject and the options that it reads: "tenfold inspect FILE [--json]".
std::string usage(const Command& command);

/// Text of `tenfold --help`.
std::string help();
/// Text of `tenfold COMMAND --help`.
std::string help(const Command& command);

}  // namespace tenfold

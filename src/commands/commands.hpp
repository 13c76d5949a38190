#pragma once
// The subcommands of tenfold. Each is called by all ranks with the same resolved settings.

#include <string>
#include <vector>

#include "base/device.hpp"
#include "config/settings.hpp"
#include "process/runtime.hpp"

namespace tenfold {

/// What SIGUSR1 and SIGTERM mean to a process with these arguments: that it saves and stops (after its first step if
/// they come earlier), or the end, as the list of commands says.
Signals::Meaning meaning_of_signals(const std::vector<std::string>& arguments);

/// Runs `arguments` (COMMAND [CONFIG.ini ...] [--section.key=value ...], --help or --version).
ExitCode run_command(const std::vector<std::string>& arguments, Runtime& runtime);

ExitCode pretrain(const Settings& settings, Runtime& runtime, Device& device);
ExitCode bench(const Settings& settings, Runtime& runtime, Device& device);
/// Local to the calling rank.
void plan(const Settings& settings);

}  // namespace tenfold

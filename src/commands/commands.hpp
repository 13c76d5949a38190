#pragma once
// The subcommands of tenfold. Each is called by all ranks with the same resolved settings.

#include <string>
#include <vector>

#include "config/settings.hpp"
#include "process/runtime.hpp"

namespace tenfold {

/// Runs `arguments` (COMMAND [CONFIG.ini ...] [--section.key=value ...], --help or --version).
ExitCode run_command(const std::vector<std::string>& arguments, Runtime& runtime);

ExitCode pretrain(const Settings& settings, Runtime& runtime);
void bench(const Settings& settings, Runtime& runtime, bool json);
/// Local to the calling rank.
void plan(const Settings& settings);

}  // namespace tenfold

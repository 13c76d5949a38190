// tenfold COMMAND [CONFIG.ini ...] [--section.key=value ...]: starts the runtime and runs the command.

#include "commands/commands.hpp"
#include "process/runtime.hpp"

int main(int argc, char** argv) {
  tenfold::Signals signals;  // blocked before anything else is done
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  signals.start(tenfold::meaning_of_signals(arguments));
  return tenfold::run_application(argc, argv, signals,
                                  [&](tenfold::Runtime& runtime) { return tenfold::run_command(arguments, runtime); });
}

// tenfold COMMAND [CONFIG.ini ...] [--section.key=value ...]: starts the runtime and runs the command.

#include "commands/commands.hpp"
#include "process/runtime.hpp"

int main(int argc, char** argv) {
  return tenfold::run_application(argc, argv, [&](tenfold::Runtime& runtime) {
    return tenfold::run_command({argv + 1, argv + argc}, runtime);
  });
}

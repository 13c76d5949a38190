#include "commands/commands.hpp"

#include <algorithm>
#include <iostream>

#include "base/version.hpp"
#include "commands/inspect.hpp"
#include "config/command.hpp"
#include "config/configuration.hpp"
#include "io/hdf5.hpp"
#include "kernels/device.hpp"
#include "kernels/runtime.hpp"
#include "parallel/agree.hpp"
#include "parallel/device_communicator.hpp"
#include "preparation/prepare.hpp"
#include "preparation/text_encoder.hpp"
#include "process/host_table.hpp"
#include "training/run_device.hpp"
#include "training/trainer.hpp"

namespace tenfold {

namespace {

using Arguments = std::vector<std::string>;

void print(Runtime& runtime, const std::string& words) {
  if (runtime.world().rank() == 0) std::cout << words << std::flush;
}

std::string versions() {
  const std::string gpu = nccl_version();
  return text("tenfold ", version(), " (commit ", git_commit(), ")\n", kernels::library_versions(), "\n",
              gpu.empty() ? "" : text(kernels::device_libraries(DeviceKind::cuda), ", ", gpu, "\n"), hdf5::version(),
              ", ", Runtime::mpi_version(), "\n", text_libraries(), "\n");
}

/// The command that the arguments begin with, or null.
const Command* command_of(const Arguments& arguments) {
  return arguments.empty() ? nullptr : find_command(arguments.front());
}

/// Takes what the command works on out of its arguments; empty if it works on configurations.
std::string take_subject(const Command& command, Arguments& arguments) {
  if (command.subject.empty()) return "";
  const auto subject =
      std::ranges::stable_partition(arguments, [](const std::string& a) { return a.starts_with('-'); });
  if (subject.size() != 1) throw InputError(text(command.name, " takes one ", command.subject, ": ", usage(command)));
  std::string taken = subject.front();
  arguments.pop_back();
  return taken;
}

/// Rank 0 reads the files; all parse the same text.
Settings read_settings(const Command& command, const Arguments& arguments, Communicator& world) {
  std::string bytes;
  agree_on_root(world, [&] { bytes = serialise(gather_sources(arguments)); });
  world.broadcast(bytes);
  return parse_configuration(command.name, deserialise(bytes));
}

void print_settings(const Command& command, const Settings& settings, Runtime& runtime, const std::string& device) {
  const std::string hosts = host_table(runtime.world(), device);
  if (!settings.call.json)
    print(runtime, "# effective configuration\n" + to_ini(settings, command.name) + "\n" + hosts + "\n");
}

void run_inspect(const std::string& file, const Settings& settings, Runtime& runtime) {
  agree_on_root(runtime.world(), [&] {
    try {
      inspect(file, settings.call.notes, settings.call.json);
    } catch (const Error& error) {
      if (error.code() == ExitCode::bad_input) throw;
      throw InputError(text(error.what(), "; the file is damaged"));  // nothing else was done than to read it
    }
  });
}

void run_plan(Settings& settings, Runtime& runtime) {
  if (settings.run.device == RunDevice::auto_) settings.run.device = RunDevice::host;  // whatever this machine has
  agree(runtime.world(), [&] { expect_built_for(settings.run.device); });
  resolve(settings, std::nullopt);
  const kernels::Runtime kernel_runtime(settings.parallel.threads.value_or(1));
  agree_on_root(runtime.world(), [&] { plan(settings); });
}

/// Runs a command that takes training steps.
ExitCode run_steps(const Command& command, Settings& settings, Runtime& runtime,
                   ExitCode (*action)(const Settings&, Runtime&, Device&)) {
  settings.run.device = chosen_device(settings.run.device, runtime.world());
  resolve(settings, runtime.world().size());
  const std::unique_ptr<Device> device = open_device(settings.run.device, runtime.world());
  print_settings(command, settings, runtime, description(*device));
  const int threads = settings.parallel.threads ? *settings.parallel.threads : default_threads(runtime.world());
  const kernels::Runtime kernel_runtime(threads);
  const bool on_host = device->kind() == DeviceKind::host;
  for (const std::string& remark : {on_host ? remark_on_threads(runtime.world(), threads) : "",
                                    on_host ? kernels::remark_on_products(compute_type(settings)) : ""})
    if (!settings.call.json && !remark.empty()) print(runtime, "# " + remark + "\n");
  return action(settings, runtime, *device);
}

ExitCode run(const Command& command, Arguments arguments, Runtime& runtime) {
  const std::string subject = take_subject(command, arguments);
  Settings settings = read_settings(command, arguments, runtime.world());
  switch (command.kind) {
    case CommandKind::prepare:
      print_settings(command, settings, runtime, "");
      prepare(settings, runtime);
      return ExitCode::done;
    case CommandKind::pretrain:
      return run_steps(command, settings, runtime, pretrain);
    case CommandKind::inspect:
      run_inspect(subject, settings, runtime);
      return ExitCode::done;
    case CommandKind::bench:
      return run_steps(command, settings, runtime, bench);
    case CommandKind::plan:
      run_plan(settings, runtime);
      return ExitCode::done;
  }
  throw Error(text("no such command: ", command.name));
}

/// InputError on all ranks if mpirun started one with other arguments. Collective.
void expect_same_arguments(const Arguments& arguments, Communicator& world) {
  std::string mine;
  for (const std::string& argument : arguments) mine += argument + '\n';
  std::string of_root = mine;
  world.broadcast(of_root);
  agree(world, [&] {
    if (mine != of_root)
      throw InputError("started with other arguments than rank 0; give all ranks the same command line");
  });
}

ExitCode dispatch(const Arguments& arguments, Runtime& runtime) {
  if (arguments.empty() || arguments.front() == "--help") {
    print(runtime, help());
    return arguments.empty() ? ExitCode::bad_input : ExitCode::done;
  }
  if (arguments.front() == "--version") {
    print(runtime, versions());
    return ExitCode::done;
  }
  const Command& command = command_named(arguments.front());
  if (std::ranges::find(arguments, "--help") != arguments.end()) {
    print(runtime, help(command));
    return ExitCode::done;
  }
  return run(command, {arguments.begin() + 1, arguments.end()}, runtime);
}

}  // namespace

Signals::Meaning meaning_of_signals(const Arguments& arguments) {
  const Command* command = command_of(arguments);
  return command != nullptr && command->saves_when_asked ? Signals::Meaning::save : Signals::Meaning::end;
}

ExitCode run_command(const Arguments& arguments, Runtime& runtime) {
  expect_same_arguments(arguments, runtime.world());
  const ExitCode code = dispatch(arguments, runtime);
  const Command* command = command_of(arguments);
  if ((command == nullptr || command->answers) && !std::cout.flush())
    throw Error("cannot write to the standard output");
  return code;
}

}  // namespace tenfold

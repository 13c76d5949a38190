#include "commands/commands.hpp"

#include <algorithm>
#include <iostream>
#include <sstream>

#include "base/version.hpp"
#include "commands/inspect.hpp"
#include "config/configuration.hpp"
#include "io/hdf5.hpp"
#include "kernels/runtime.hpp"
#include "parallel/agree.hpp"
#include "preparation/prepare.hpp"
#include "preparation/text_encoder.hpp"
#include "process/host_table.hpp"
#include "training/trainer.hpp"

namespace tenfold {

namespace {

void print(Runtime& runtime, const std::string& words) {
  if (runtime.world().rank() == 0) std::cout << words << std::flush;
}

std::string versions() {
  return text("tenfold ", version(), " (commit ", git_commit(), ")\n", kernels::library_versions(), "\n",
              hdf5::version(), ", ", Runtime::mpi_version(), "\n", text_libraries(), "\n");
}

/// Takes `flag` out of the arguments; whether it was there.
bool take(std::vector<std::string>& arguments, const std::string& flag) {
  return std::erase(arguments, flag) > 0;
}

/// Rank 0 reads the files; all parse the same text.
Settings read_settings(const std::string& command, const std::vector<std::string>& arguments, Communicator& world) {
  std::string bytes;
  agree_on_root(world, [&] { bytes = serialise(gather_sources(arguments)); });
  world.broadcast(bytes);
  return parse_configuration(command, deserialise(bytes));
}

/// Takes --notes=word,... out of the arguments; the words, none without it.
std::vector<std::string> take_note_words(std::vector<std::string>& arguments) {
  const std::string flag = "--notes=";
  const auto found = std::ranges::find_if(arguments, [&](const std::string& a) { return a.starts_with(flag); });
  if (found == arguments.end()) return {};
  std::istringstream list(found->substr(flag.size()));
  arguments.erase(found);
  std::vector<std::string> words;
  for (std::string word; std::getline(list, word, ',');)
    if (!word.empty()) words.push_back(word);
  if (words.empty()) throw InputError("--notes names no word: give --notes=word,...");
  return words;
}

void run_inspect(std::vector<std::string> arguments, Runtime& runtime) {
  const bool json = take(arguments, "--json");
  const std::vector<std::string> notes = take_note_words(arguments);
  if (arguments.size() != 1 || arguments.front().starts_with("--"))
    throw InputError("inspect takes one file: tenfold inspect FILE [--json] [--notes=word,...]");
  agree_on_root(runtime.world(), [&] {
    try {
      inspect(arguments.front(), notes, json);
    } catch (const Error& error) {
      if (error.code() == ExitCode::bad_input) throw;
      throw InputError(text(error.what(), "; the file is damaged"));  // nothing else was done than to read it
    }
  });
}

ExitCode run_with_settings(const std::string& command, std::vector<std::string> arguments, Runtime& runtime) {
  const bool json = command == "bench" && take(arguments, "--json");
  Settings settings = read_settings(command, arguments, runtime.world());
  if (command == "plan") {
    resolve(settings, std::nullopt);
    const kernels::Runtime kernel_runtime(settings.parallel.threads.value_or(1));
    agree_on_root(runtime.world(), [&] { plan(settings); });
    return ExitCode::done;
  }
  if (command != "prepare") resolve(settings, runtime.world().size());
  if (!json)
    print(runtime,
          "# effective configuration\n" + to_ini(settings, command) + "\n" + host_table(runtime.world()) + "\n");
  if (command == "prepare") {
    prepare(settings, runtime);
    return ExitCode::done;
  }
  const int threads = settings.parallel.threads ? *settings.parallel.threads : default_threads(runtime.world());
  const kernels::Runtime kernel_runtime(threads);
  const std::string remark = kernels::remark_on_products(compute_type(settings));
  if (!json && !remark.empty()) print(runtime, "# " + remark + "\n");
  if (command == "pretrain") return pretrain(settings, runtime);
  bench(settings, runtime, json);
  return ExitCode::done;
}

/// InputError on all ranks if mpirun started one with other arguments. Collective.
void expect_same_arguments(const std::vector<std::string>& arguments, Communicator& world) {
  std::string mine;
  for (const std::string& argument : arguments) mine += argument + '\n';
  std::string of_root = mine;
  world.broadcast(of_root);
  agree(world, [&] {
    if (mine != of_root)
      throw InputError("started with other arguments than rank 0; give all ranks the same command line");
  });
}

ExitCode dispatch(const std::vector<std::string>& arguments, Runtime& runtime) {
  if (arguments.empty() || arguments.front() == "--help") {
    print(runtime, help());
    return arguments.empty() ? ExitCode::bad_input : ExitCode::done;
  }
  if (arguments.front() == "--version") {
    print(runtime, versions());
    return ExitCode::done;
  }
  const std::string& command = arguments.front();
  std::vector<std::string> rest(arguments.begin() + 1, arguments.end());
  const std::string words = help(command);
  if (take(rest, "--help")) {
    print(runtime, words);
    return ExitCode::done;
  }
  if (command == "inspect") {
    run_inspect(rest, runtime);
    return ExitCode::done;
  }
  return run_with_settings(command, rest, runtime);
}

}  // namespace

Signals::Meaning meaning_of_signals(const std::vector<std::string>& arguments) {
  const bool trains = !arguments.empty() && arguments.front() == "pretrain";
  return trains ? Signals::Meaning::save : Signals::Meaning::end;
}

ExitCode run_command(const std::vector<std::string>& arguments, Runtime& runtime) {
  expect_same_arguments(arguments, runtime.world());
  const ExitCode code = dispatch(arguments, runtime);
  const bool lasting = !arguments.empty() && (arguments.front() == "pretrain" || arguments.front() == "prepare");
  if (!lasting && !std::cout.flush()) throw Error("cannot write to the standard output");  // all that was asked for
  return code;
}

}  // namespace tenfold

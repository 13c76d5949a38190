// unit_io_saver FOLDER: goes on from the newest good checkpoint in the folder, whose content it checks, and saves
// further ones without end. Says "going on from STEP" on its standard output before the first save.
// unit_io_saver FOLDER check: stops there.
#include <cstdio>
#include <string>
#include <vector>

#include "io/checkpoint.hpp"
#include "process/runtime.hpp"

namespace {

using namespace tenfold;

/// Content is a function of the step, so that mixed-up files show.
std::vector<float> values_at(std::int64_t step) {
  std::vector<float> values(std::size_t{1} << 20U);
  for (std::size_t i = 0; i < values.size(); ++i)
    values[i] = static_cast<float>(step) + static_cast<float>(i) * 0x1p-10F;
  return values;
}

std::int64_t go_on_from(const std::string& folder, MpiCommunicator& world) {
  const FoundCheckpoint found = find_newest_checkpoint(folder, world);
  TENFOLD_VERIFY(found.damaged.empty(), found.damaged.front().path, ": ", found.damaged.front().reason);
  if (!found.path) return 0;
  const Checkpoint checkpoint(*found.path, world);
  std::vector<float> values(std::size_t{1} << 20U);
  checkpoint.read("weights", 0, std::span<float>(values));
  TENFOLD_VERIFY(values == values_at(checkpoint.step()), *found.path, " has other values than were saved");
  return checkpoint.step();
}

void run(const std::string& folder, bool only_check, MpiCommunicator& world) {
  prepare_checkpoint_folder(folder, world);
  std::int64_t step = go_on_from(folder, world);
  TENFOLD_VERIFY(std::printf("going on from %lld\n", static_cast<long long>(step)) > 0 && std::fflush(stdout) == 0,
                 "output");
  while (!only_check) {
    ++step;
    const std::vector<float> values = values_at(step);
    CheckpointContent content;
    content.tensors = {{"weights", {1024, 1024}, {{0, values.data(), 1 << 20}}}};
    content.texts = {{"configuration", std::string(10'000, 'c')}};
    save_checkpoint(folder, step, content, 2, world);
  }
}

}  // namespace

int main(int count, char** arguments) {
  return tenfold::run_application(count, arguments, [&](tenfold::Runtime& runtime) {
    run(arguments[1], count > 2, runtime.world());
    return tenfold::ExitCode::done;
  });
}

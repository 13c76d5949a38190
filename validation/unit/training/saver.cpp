// unit_training_saver FOLDER: goes on from the newest good checkpoint in the folder, whose content it checks, and saves
// further ones without end. Says "going on from STEP" on its standard output before the first save.
// unit_training_saver FOLDER check: stops there.
#include <cstdio>
#include <string>
#include <vector>

#include "process/runtime.hpp"
#include "training/checkpoints.hpp"

namespace {

using namespace tenfold;

/// Content is a function of the step, so that mixed-up files show.
std::vector<float> values_at(std::int64_t step) {
  std::vector<float> values(std::size_t{1} << 20U);
  for (std::size_t i = 0; i < values.size(); ++i)
    values[i] = static_cast<float>(step) + static_cast<float>(i) * 0x1p-10F;
  return values;
}

std::int64_t go_on_from(Checkpoints& checkpoints) {
  const FoundCheckpoint found = checkpoints.open_newest();
  TENFOLD_VERIFY(found.damaged.empty(), found.damaged.front().path, ": ", found.damaged.front().reason);
  if (!found.checkpoint) return 0;
  std::vector<float> values(std::size_t{1} << 20U);
  found.checkpoint->read("weights", 0, std::span<float>(values));
  const std::int64_t step = found.checkpoint->step();
  TENFOLD_VERIFY(values == values_at(step), found.checkpoint->path(), " has other values than were saved");
  return step;
}

void run(const std::string& folder, bool only_check, MpiCommunicator& world) {
  Checkpoints checkpoints(folder, 2, world);
  std::int64_t step = go_on_from(checkpoints);
  TENFOLD_VERIFY(std::printf("going on from %lld\n", static_cast<long long>(step)) > 0 && std::fflush(stdout) == 0,
                 "output");
  while (!only_check) {
    ++step;
    const std::vector<float> values = values_at(step);
    const Shape shape{1024, 1024};
    CheckpointContent content;
    content.tensors = {
        {"weights", shape, pieces_of(shape, {}, 0, shape.elements(), values.data(), DType::f32), DType::f32}};
    content.texts = {{"configuration", std::string(10'000, 'c')}};
    checkpoints.save(step, content);
  }
}

}  // namespace

int main(int count, char** arguments) {
  tenfold::Signals signals;
  signals.start(tenfold::Signals::Meaning::end);
  return tenfold::run_application(count, arguments, signals, [&](tenfold::Runtime& runtime) {
    run(arguments[1], count > 2, runtime.world());
    return tenfold::ExitCode::done;
  });
}

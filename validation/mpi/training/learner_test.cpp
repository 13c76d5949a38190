// The learner as a whole: memory as planned, and no allocation in a step.

#include "training/learner.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <optional>

#include "allocations.hpp"
#include "config/configuration.hpp"
#include "kernels/runtime.hpp"
#include "training/batch_pipeline.hpp"
#include "world.hpp"

namespace tenfold {
namespace {

constexpr int vocabulary = 300;

class KernelLibraries : public ::testing::Environment {
 public:
  void SetUp() override { runtime_.emplace(1); }
  void TearDown() override { runtime_.reset(); }

 private:
  std::optional<kernels::Runtime> runtime_;
};
[[maybe_unused]] const auto* const kernel_libraries = ::testing::AddGlobalTestEnvironment(new KernelLibraries);

struct Case {
  ObjectiveKind objective;
  Precision precision;
  bool notes = false;
};

Settings small(const Case& wanted) {
  Settings settings;
  settings.data.sequence_length = 16;
  settings.data.global_batch = 24;
  settings.data.micro_batch = 2;
  settings.model.layers = 2;
  settings.model.width = 32;
  settings.model.heads = 2;
  settings.model.feed_forward = 64;
  settings.objective.kind = wanted.objective;
  settings.precision = wanted.precision;
  settings.notes.enabled = wanted.notes;
  resolve(settings, testing::world().size());
  return settings;
}

class EveryObjective : public ::testing::TestWithParam<Case> {};

TEST_P(EveryObjective, AllocatesNothingFromTheSecondStepOn) {
  const Settings settings = small(GetParam());
  Communicator& world = testing::world();
  Queue queue;
  Arena arena(queue.device());
  Learner learner(settings, vocabulary, arena);
  learner.initialise(queue);
  GradientReducer reducer(world, learner.parameters().gradients());
  const RandomSequences sequences(vocabulary, settings.data.sequence_length, 1);
  std::unique_ptr<NoteTaker> notes;
  if (settings.notes.enabled)
    notes = std::make_unique<NoteTaker>(world, settings, RandomSequences::rare_keys, learner.batch_shape(), arena);
  BatchPipeline pipeline(sequences, settings, vocabulary, learner.batch_shape(), world, notes.get());
  pipeline.start(1);
  double first_loss = 0;
  double last_loss = 0;
  for (std::int64_t step = 1; step <= 12; ++step) {
    const int before = testing::allocations();
    const std::span<const HostBatch> batches = pipeline.advance(queue, false);
    const Counts counts = all_reduce(world, pipeline.counts());
    const StepResult result = learner.step(queue, world, reducer, notes.get(), batches, counts, step, 1e-3);
    const int allocated = testing::allocations() - before;
    EXPECT_TRUE(step == 1 || allocated == 0) << allocated << " allocations in step " << step;
    (step == 1 ? first_loss : last_loss) = result.metrics.front();
    EXPECT_FALSE(result.skipped);
  }
  EXPECT_LT(last_loss, first_loss);
}

TEST_P(EveryObjective, TakesTheMemoryThatWasPlanned) {
  const Settings settings = small(GetParam());
  Arena planned(DeviceKind::host, Arena::Mode::plan);
  const Learner plan(settings, vocabulary, planned);
  Arena taken(DeviceKind::host);
  const Learner learner(settings, vocabulary, taken);
  EXPECT_EQ(planned.bytes(), taken.bytes());
}

INSTANTIATE_TEST_SUITE_P(Objectives, EveryObjective,
                         ::testing::Values(Case{ObjectiveKind::mlm, Precision::f32},
                                           Case{ObjectiveKind::mlm, Precision::bf16},
                                           Case{ObjectiveKind::mlm, Precision::f32, true},
                                           Case{ObjectiveKind::electra, Precision::f32},
                                           Case{ObjectiveKind::multiple_choice, Precision::bf16, true}));

}  // namespace
}  // namespace tenfold

// The learner as a whole: memory as planned, no allocation in a step, and a step that all ranks skip together.

#include "training/learner.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <utility>

#include "allocations.hpp"
#include "config/configuration.hpp"
#include "kernels/runtime.hpp"
#include "parallel/replica_check.hpp"
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

/// A run of one case on all ranks.
struct Training {
  explicit Training(const Case& wanted) : settings(small(wanted)) {
    learner.initialise(queue);
    if (settings.notes.enabled)
      notes = std::make_unique<NoteTaker>(world, settings, RandomSequences::rare_keys, learner.batch_shape(), arena);
    pipeline.emplace(sequences, settings, vocabulary, learner.batch_shape(), world, notes.get());
    pipeline->start(1);
  }

  StepResult step() {
    const int before = testing::allocations();
    const std::span<const HostBatch> batches = pipeline->advance(queue, false);
    const Counts counts = all_reduce(world, pipeline->counts());
    const StepResult result = learner.step(queue, world, reducer, notes.get(), batches, counts, ++steps, 1e-3);
    allocated = testing::allocations() - before;
    return result;
  }

  Settings settings;
  Communicator& world = testing::world();
  Queue queue;
  Arena arena{queue.device()};
  Learner learner{settings, vocabulary, arena};
  GradientReducer reducer{world, learner.parameters().gradients()};
  RandomSequences sequences{vocabulary, settings.data.sequence_length, 1};
  std::unique_ptr<NoteTaker> notes;
  std::optional<BatchPipeline> pipeline;
  std::int64_t steps = 0;
  int allocated = 0;  ///< in the last step
};

class EveryObjective : public ::testing::TestWithParam<Case> {};

TEST_P(EveryObjective, AllocatesNothingFromTheSecondStepOn) {
  Training training(GetParam());
  double first_loss = 0;
  double last_loss = 0;
  for (int step = 1; step <= 12; ++step) {
    const StepResult result = training.step();
    EXPECT_TRUE(step == 1 || training.allocated == 0) << training.allocated << " allocations in step " << step;
    (step == 1 ? first_loss : last_loss) = result.metrics.front();
    EXPECT_FALSE(result.skipped);
  }
  EXPECT_LT(last_loss, first_loss);
}

/// Bytes of what an update changes, and the number of updates.
auto optimizer_state(Learner& learner) {
  std::string bytes;
  for (const Tensor& each : {learner.parameters().masters(), learner.first_moment(), learner.second_moment()})
    bytes.append(static_cast<const char*>(each.raw()), each.bytes());
  return std::tuple(bytes, learner.updates());
}

TEST_P(EveryObjective, SkipsTheStepOnAllRanksWhenOneIsNotFinite) {
  Training training(GetParam());
  Learner& learner = training.learner;
  training.step();
  for (int bad_rank = 0; bad_rank < training.world.size(); ++bad_rank)
    for (const Tensor& poisoned : {learner.parameters().gradients(), learner.objective().sums()}) {
      const auto before = optimizer_state(learner);
      bool poison = training.world.rank() == bad_rank;
      training.queue.observe([&](const char*, bool) {
        if (std::exchange(poison, false)) std::memset(poisoned.raw(), 0xFF, sizeof(double));  // no number in f32, f64
      });
      EXPECT_TRUE(training.step().skipped) << "rank " << bad_rank;
      EXPECT_TRUE(optimizer_state(learner) == before) << "rank " << bad_rank;

      EXPECT_FALSE(training.step().skipped) << "after rank " << bad_rank;
      EXPECT_EQ(learner.updates(), std::get<1>(before) + 1);
      EXPECT_FALSE(std::get<0>(optimizer_state(learner)) == std::get<0>(before));
      EXPECT_NO_THROW(check_replicas(training.world, learner.parameters().masters(), training.steps));
    }
}

INSTANTIATE_TEST_SUITE_P(Objectives, EveryObjective,
                         ::testing::Values(Case{ObjectiveKind::mlm, Precision::f32},
                                           Case{ObjectiveKind::mlm, Precision::bf16},
                                           Case{ObjectiveKind::mlm, Precision::f32, true},
                                           Case{ObjectiveKind::electra, Precision::f32},
                                           Case{ObjectiveKind::multiple_choice, Precision::bf16, true}));

}  // namespace
}  // namespace tenfold

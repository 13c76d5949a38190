// The trainer as a whole: memory as planned, no allocation in a step, and a step that all ranks skip together.

#include "training/trainer.hpp"

#include <cstring>
#include <tuple>
#include <utility>

#include "allocations.hpp"
#include "parallel/replica_check.hpp"
#include "training/memory.hpp"
#include "training_test.hpp"

namespace tenfold {
namespace {

using testing::Case;
using testing::small;
using testing::Training;
using testing::vocabulary;
using testing::world;

struct OnRandomSequences {
  explicit OnRandomSequences(const Settings& settings)
      : sequences(vocabulary, settings.data.sequence_length, 1),
        training(settings, world(), sequences, RandomSequences::rare_keys) {}
  RandomSequences sequences;
  Training training;
};

class EveryObjective : public ::testing::TestWithParam<Case> {
 protected:
  Settings settings_ = small(GetParam(), world().size(), 2);
};

TEST_P(EveryObjective, AllocatesNothingFromTheSecondStepOn) {
  OnRandomSequences run(settings_);
  double first_loss = 0;
  double last_loss = 0;
  for (int step = 1; step <= 12; ++step) {
    const int before = testing::allocations();
    const StepResult result = run.training.step();
    const int allocated = testing::allocations() - before;
    EXPECT_TRUE(step == 1 || allocated == 0) << allocated << " allocations in step " << step;
    (step == 1 ? first_loss : last_loss) = result.metrics.front();
    EXPECT_FALSE(result.skipped);
  }
  EXPECT_LT(last_loss, first_loss);
}

// The same wiring plans and runs, so that no byte may differ.
TEST_P(EveryObjective, TakesThePlannedBytes) {
  for (const int micro_batch : {1, 5}) {
    const Settings settings = small(GetParam(), world().size(), micro_batch);
    OnRandomSequences run(settings);
    const TextFacts facts{.vocabulary = vocabulary,
                          .rare_words = RandomSequences::rare_keys,
                          .rare_share = 0,
                          .tokens = 0,
                          .sentences = 0};
    PlannedTrainer planned(settings, facts);
    EXPECT_EQ(planned.tensors().bytes(), run.training.tensors.bytes());
    if (world().rank() == 0) {
      EXPECT_EQ(planned.host().bytes(), run.training.host.bytes()) << "of rank 0";
    }
    EXPECT_EQ(planned->reducer().bytes_under_way(), run.training.trainer.reducer().bytes_under_way());
    const MemoryPlan plan = plan_memory(settings, facts);
    EXPECT_EQ(plan.tensors, static_cast<std::int64_t>(run.training.tensors.bytes()));
    run.training.step();
    run.training.step();
    EXPECT_EQ(planned.tensors().bytes(), run.training.tensors.bytes()) << "after steps";
  }
}

/// Bytes of what an update changes, and the number of updates.
auto optimizer_state(Trainer& trainer) {
  std::string bytes;
  for (const Tensor& each :
       {trainer.parameters().masters(), trainer.optimizer().first_moment(), trainer.optimizer().second_moment()}) {
    const std::vector<float> values = testing::read(trainer.queue(), each);
    bytes.append(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float));
  }
  return std::tuple(bytes, trainer.optimizer().updates(trainer.queue()));
}

TEST_P(EveryObjective, SkipsTheStepOnAllRanksWhenOneIsNotFinite) {
  OnRandomSequences run(settings_);
  Trainer& trainer = run.training.trainer;
  std::int64_t step = run.training.step().step;
  for (int bad_rank = 0; bad_rank < world().size(); ++bad_rank)
    for (const Tensor& poisoned : {trainer.parameters().gradients(), trainer.objective().sums()}) {
      const auto before = optimizer_state(trainer);
      bool poison = false;
      trainer.take_batches(false);
      trainer.queue().observe([&](const char*) {
        if (std::exchange(poison, false)) std::memset(poisoned.raw(), 0xFF, sizeof(double));  // no number in f32, f64
      });
      poison = world().rank() == bad_rank;
      EXPECT_TRUE(trainer.train_step().skipped) << "rank " << bad_rank;
      trainer.queue().observe({});
      EXPECT_TRUE(optimizer_state(trainer) == before) << "rank " << bad_rank;

      const StepResult after = run.training.step();
      EXPECT_FALSE(after.skipped) << "after rank " << bad_rank;
      EXPECT_EQ(after.step, step += 2);
      EXPECT_EQ(std::get<1>(optimizer_state(trainer)), std::get<1>(before) + 1);
      EXPECT_FALSE(std::get<0>(optimizer_state(trainer)) == std::get<0>(before));
      EXPECT_NO_THROW(check_replicas(world(), hash_of(trainer.queue(), trainer.parameters().masters()), step));
    }
}

INSTANTIATE_TEST_SUITE_P(Objectives, EveryObjective, ::testing::ValuesIn(testing::every_kind), testing::name_of_case);

// The last step of a run learns.
TEST(LastStep, ChangesTheWeights) {
  Settings settings = small({ObjectiveKind::mlm, Precision::f32}, world().size());
  settings.run.steps = 2;
  OnRandomSequences run(settings);
  Trainer& trainer = run.training.trainer;
  run.training.step();
  const auto before = optimizer_state(trainer);
  trainer.take_batches(true);
  const StepResult last = trainer.train_step();
  EXPECT_EQ(last.step, settings.run.steps);
  EXPECT_DOUBLE_EQ(last.learning_rate, settings.optimizer.learning_rate / 3);
  EXPECT_FALSE(std::get<0>(optimizer_state(trainer)) == std::get<0>(before));
}

}  // namespace
}  // namespace tenfold

#pragma once
// A small run of any objective on some ranks.

#include <gtest/gtest.h>

#include <array>

#include "config/configuration.hpp"
#include "kernel_environment.hpp"
#include "training/trainer.hpp"
#include "varied_sequences.hpp"
#include "world.hpp"

namespace tenfold::testing {

inline constexpr Vocabulary vocabulary{300};

struct Case {
  ObjectiveKind objective;
  Precision precision;
  bool notes = false;
};

/// For the names of parameterised tests.
inline std::string name_of_case(const ::testing::TestParamInfo<Case>& info) {
  static constexpr std::array kinds{"mlm", "electra", "choice"};
  return text(kinds[static_cast<std::size_t>(info.param.objective)],
              info.param.precision == Precision::bf16 ? "_bf16" : "_f32", info.param.notes ? "_notes" : "");
}

inline Settings small(const Case& wanted, int ranks, std::optional<int> micro_batch = {}) {
  Settings settings;
  settings.data.sequence_length = 16;
  settings.data.global_batch = 24;
  settings.data.micro_batch = micro_batch;
  settings.model.layers = 2;
  settings.model.width = 32;
  settings.model.heads = 2;
  settings.model.feed_forward = 64;
  settings.objective.kind = wanted.objective;
  settings.optimizer.learning_rate = 1e-3;
  settings.optimizer.warmup_steps = 0;
  settings.precision = wanted.precision;
  settings.notes.enabled = wanted.notes;
  resolve(settings, ranks);
  return settings;
}

/// A run on all ranks of a group, before its first step.
struct Training {
  Training(const Settings& settings, MpiCommunicator& group, const Sequences& sequences, std::int64_t rare_words)
      : trainer(settings, {sequences, vocabulary, rare_words}, group, group.progress(), *queue, tensors, host) {
    trainer.initialise();
    trainer.start(1);
  }
  StepResult step() {
    trainer.take_batches(false);
    return trainer.train_step();
  }

  std::unique_ptr<Queue> queue = device().make_queue();
  Arena tensors{device()}, host{device(), MemoryKind::pinned};
  Trainer trainer;
};

/// Of the first five objectives and precisions that differ most.
inline constexpr std::array every_kind{
    Case{ObjectiveKind::mlm, Precision::f32}, Case{ObjectiveKind::mlm, Precision::bf16},
    Case{ObjectiveKind::mlm, Precision::f32, true}, Case{ObjectiveKind::electra, Precision::f32},
    Case{ObjectiveKind::multiple_choice, Precision::bf16, true}};

}  // namespace tenfold::testing

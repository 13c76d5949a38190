#pragma once
// An objective with its memory and one micro-batch: what a training step computes, without an optimizer.

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <numeric>

#include "base/random.hpp"
#include "config/configuration.hpp"
#include "data/batches.hpp"
#include "kernel_environment.hpp"
#include "kernels/elementwise.hpp"
#include "objectives/objective.hpp"
#include "varied_sequences.hpp"

namespace tenfold::testing {

inline constexpr Vocabulary vocabulary{60};

struct Case {
  ObjectiveKind kind;
  PositionEncoding position = PositionEncoding::tupe_r;
  bool notes = false;
};

/// For the names of parameterised tests.
inline std::string name_of_case(const ::testing::TestParamInfo<Case>& info) {
  static constexpr std::array kinds{"mlm", "electra", "choice"};
  static constexpr std::array positions{"absolute", "relative", "tupe_a", "tupe_r"};
  return text(kinds[static_cast<std::size_t>(info.param.kind)], '_',
              positions[static_cast<std::size_t>(info.param.position)], info.param.notes ? "_notes" : "");
}

/// A model of two narrow layers.
inline Settings small(const Case& wanted, double dropout) {
  Settings settings;
  settings.data.sequence_length = 14;
  settings.data.global_batch = 10;
  settings.model.layers = 2;
  settings.model.width = 16;
  settings.model.heads = 4;
  settings.model.feed_forward = 24;
  settings.model.dropout = settings.model.attention_dropout = dropout;
  settings.model.position = wanted.position;
  settings.model.relative_buckets = 8;
  settings.objective.kind = wanted.kind;
  settings.objective.mask_rate = 0.3;
  settings.objective.generator_divider = 2;
  settings.objective.loss_weight = 2;
  settings.objective.candidates = 4;
  settings.notes.enabled = wanted.notes;
  settings.notes.mix = 0.3;
  resolve(settings, 1);
  return settings;
}

inline bool of_small_network(const std::string& name) {
  return name.starts_with("generator.") || name.starts_with("controller.");
}

struct LearnedStep {
  /// Every parameter is `deviation` or so from its initial value, so that each part matters.
  LearnedStep(const Settings& settings, DType compute, float deviation = 0.3F)
      : objective(make_objective(settings, vocabulary, parameters)),
        batch(batch_budget(settings), settings.notes.enabled ? std::optional(settings.model.width) : std::nullopt,
              arena) {
    parameters.allocate(arena, compute);
    objective->allocate(arena, batch_budget(settings), compute);
    objective->prepare(queue);
    for (const Parameter& parameter : parameters.all())
      kernels::fill_normal(queue, stream_key(5, parameter.name), parameter.initial == Initial::one ? 1.0F : 0.0F,
                           deviation, 0, parameters.master(parameter));
    parameters.refresh(queue);
    take_batch(settings);
  }

  /// Metrics of the micro-batch in training. The same step every time, and so the same masks of dropout.
  std::vector<double> forward() {
    objective->begin_step(queue, {counts, 0.5});
    objective->forward(queue, batch.masked, true);
    std::vector<double> values(objective->metric_names().size());
    objective->metrics(read<double>(queue, objective->sums()), counts, values);
    return values;
  }
  void forward_backward() {
    queue.clear(parameters.gradients());
    forward();
    objective->backward(queue, batch.masked);
  }

  /// All that was drawn for rows in use.
  std::vector<std::int32_t> draws() {
    std::vector<std::int32_t> all;
    for (const auto& [name, values] : objective->draws()) {
      const std::vector<std::int32_t> part = read<std::int32_t>(queue, values.rows(0, filled));
      all.insert(all.end(), part.begin(), part.end());
    }
    return all;
  }

  /// The small network's draws follow from the vocabulary's bias alone, which is set to these values.
  void draw_by_bias(const std::vector<float>& bias) {
    for (const Parameter& parameter : parameters.all()) {
      const Tensor master = parameters.master(parameter);
      if (of_small_network(parameter.name) && parameter.name.find(".head.layer_norm.") != std::string::npos)
        kernels::fill(queue, 0, master);
      if (parameter.name.ends_with("head.bias")) queue.copy_in(bias.data(), master);
    }
    parameters.refresh(queue);
  }

  void take_batch(const Settings& settings) {
    Arena host(device(), MemoryKind::pinned);
    HostBatch made(batch_budget(settings), settings.notes.enabled, host);
    const VariedSequences sequences(vocabulary, settings.data.sequence_length);
    BatchBuilder builder(sequences, settings, vocabulary, batch_budget(settings), 9, settings.notes.enabled);
    std::vector<Sample> samples;
    for (std::int64_t i = 0; i < settings.data.global_batch; ++i) samples.push_back({i, i, 0});
    builder.build(samples, made);
    made.set_step(3);
    count(made, counts);
    batch.copy_in(queue, made);
    queue.synchronize();
    filled = made.filled;
    NoteInput& notes = batch.masked.input.notes;
    notes.mix = static_cast<float>(settings.notes.mix);
    if (notes) kernels::fill_normal(queue, 11, 0.0F, 0.3F, 0, notes.vectors);
  }

  std::unique_ptr<Queue> own_queue = device().make_queue();
  Queue& queue = *own_queue;
  Arena arena{device()};
  Parameters parameters;
  std::unique_ptr<Objective> objective;
  DeviceBatch batch;
  Counts counts;
  std::int64_t filled = 0;
};

inline double dot(std::span<const float> a, std::span<const float> b) {
  return std::inner_product(a.begin(), a.end(), b.begin(), 0.0, std::plus(), [](double x, double y) { return x * y; });
}
inline double norm(std::span<const float> values) {
  return std::sqrt(dot(values, values));
}

}  // namespace tenfold::testing

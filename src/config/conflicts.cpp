// Conflicts between keys, and the values that depend on the number of ranks.

#include "base/check.hpp"
#include "config/configuration.hpp"
#include "config/detail/option.hpp"

namespace tenfold {
namespace {

template <class... Parts>
void require(bool condition, const Parts&... parts) {
  if (!condition) throw InputError(text(parts...));
}

/// Of full sequences: a GPU wants about 32,768 rows to be busy.
int usual_micro_batch(const Settings& settings) {
  constexpr int on_host = 32, rows_on_gpu = 32'768;
  return settings.run.device == RunDevice::cuda ? std::max(1, rows_on_gpu / settings.data.sequence_length) : on_host;
}

}  // namespace

void detail::check_conflicts(const Settings& settings) {
  const ModelSettings& model = settings.model;
  require(model.width % model.heads == 0, "model.width = ", model.width,
          " is not a multiple of model.heads = ", model.heads);
  require(model.relative_buckets % 2 == 0, "model.relative_buckets = ", model.relative_buckets,
          " is odd: choose an even number, half of it for each direction");
  require(model.relative_max_distance > model.relative_buckets / 4,
          "model.relative_max_distance = ", model.relative_max_distance,
          " is not above a quarter of model.relative_buckets = ", model.relative_buckets);
  const ObjectiveSettings& objective = settings.objective;
  const double left = objective.leave_unmasked.value_or(0);
  const double random = objective.replace_random.value_or(0);
  require(left + random <= 1, "objective.leave_unmasked = ", left, " and objective.replace_random = ", random,
          " exceed 1 together");
  const CorpusSettings& corpus = settings.corpus;
  require(!corpus.rare_min_count || !corpus.rare_max_count || *corpus.rare_min_count <= *corpus.rare_max_count,
          "corpus.rare_min_count = ", corpus.rare_min_count.value_or(0),
          " is above corpus.rare_max_count = ", corpus.rare_max_count.value_or(0));
  require(
      corpus.rare_coverage > 0 || corpus.rare_min_count.has_value() == corpus.rare_max_count.has_value(),
      "corpus.rare_coverage = 0 asks for no rare words, and one bound of their counts is given: give both, or none");
}

namespace {

int papers_divider(ObjectiveKind kind, int width) {
  if (width >= 1024) return 4;
  if (width >= 768) return 3;
  return kind == ObjectiveKind::electra ? 4 : 2;
}

/// Values that depend on the kind of objective, and the generator's sizes.
void resolve_objective(Settings& settings) {
  ObjectiveSettings& objective = settings.objective;
  const ModelSettings& model = settings.model;
  const double kept = objective.kind == ObjectiveKind::mlm ? 0.1 : 0.0;
  if (!objective.leave_unmasked) objective.leave_unmasked = kept;
  if (!objective.replace_random) objective.replace_random = kept;
  if (!objective.generator_divider) objective.generator_divider = papers_divider(objective.kind, model.width);
  if (!objective.loss_weight) objective.loss_weight = objective.kind == ObjectiveKind::electra ? 50 : 20;
  if (!objective.candidates_end) objective.candidates_end = objective.candidates;
  if (objective.sampling == Sampling::released) objective.temperature = objective.temperature_end.emplace(1);
  if (!objective.temperature_end) objective.temperature_end = objective.temperature;
  if (!settings.notes.window) settings.notes.window = settings.data.sequence_length >= 512 ? 16 : 8;
  if (objective.kind == ObjectiveKind::mlm) return;
  const int divider = *objective.generator_divider;
  const int heads = std::max(1, model.heads / divider);
  require(model.width % divider == 0 && model.width / divider % heads == 0 && model.feed_forward % divider == 0,
          "objective.generator_divider = ", divider, " does not fit model.width = ", model.width,
          ", model.feed_forward = ", model.feed_forward, " and model.heads = ", model.heads,
          ": the divided width must be a multiple of ", heads, " heads");
}

}  // namespace

void resolve(Settings& settings, std::optional<int> world_size) {
  resolve_objective(settings);
  const int tensor = settings.parallel.tensor;
  if (!settings.parallel.data) settings.parallel.data = std::max(1, world_size.value_or(tensor) / tensor);
  const int data = *settings.parallel.data;
  require(!world_size || static_cast<std::int64_t>(data) * tensor == *world_size, "parallel.data = ", data,
          " x parallel.tensor = ", tensor, " is not the number of ranks, ", world_size.value_or(0),
          ": start as many, or leave parallel.data unset");

  const int batch = settings.data.global_batch;
  require(batch % data == 0, "data.global_batch = ", batch, " cannot be shared by parallel.data = ", data,
          " ranks: choose a multiple of ", data);
  if (!settings.data.micro_batch) settings.data.micro_batch = std::min(batch / data, usual_micro_batch(settings));
  const int micro = *settings.data.micro_batch;
  require(micro <= batch / data, "data.micro_batch = ", micro, " is above a rank's share of a step, ", batch / data,
          " sequences: data.global_batch = ", batch, " over parallel.data = ", data, " ranks");
  require(settings.debug.dump_step == 0 || batch == micro,
          "debug.dump_step needs one rank and data.micro_batch = data.global_batch = ", batch,
          ", so that one file holds the whole step");
  require(settings.debug.dump_step <= settings.run.steps, "debug.dump_step = ", settings.debug.dump_step,
          " is above run.steps = ", settings.run.steps);
}

}  // namespace tenfold

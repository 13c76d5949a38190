#include "data/batch_pipeline.hpp"

#include <utility>

namespace tenfold {

BatchPipeline::BatchPipeline(const Sequences& sequences, const Settings& settings, const Vocabulary& vocabulary,
                             bool rare_words, int rank, int ranks, Arena& host)
    : schedule_(sequences.count(), settings.run.seed, settings.data.global_batch, rank, ranks),
      builder_(sequences, settings, vocabulary, batch_budget(settings), stream_key(settings.run.seed, "mask"),
               rare_words) {
  // A micro-batch has room for data.micro_batch sequences of any length.
  const int share = settings.data.global_batch / ranks, micro_batch = *settings.data.micro_batch;
  capacity_ = static_cast<std::size_t>((share + micro_batch - 1) / micro_batch);
  if (host.planning()) {
    const auto batches = static_cast<std::int64_t>(2 * capacity_);
    host.allocate(DType::u8, {batches, BatchLayout(batch_budget(settings), rare_words).bytes()});
    return;
  }
  samples_.reserve(static_cast<std::size_t>(share));
  for (Step* step : {&present_, &next_}) {
    step->batches.reserve(capacity_);
    while (step->batches.size() < capacity_) step->batches.emplace_back(batch_budget(settings), rare_words, host);
  }
}

void BatchPipeline::start(std::int64_t step) {
  next_step_ = step;
  build(next_);
}

void BatchPipeline::advance(bool last) {
  std::swap(present_, next_);
  ++next_step_;
  next_.used = 0;
  if (!last) build(next_);
}

void BatchPipeline::build(Step& step) {
  schedule_.samples(next_step_, samples_);
  step.used = 0;
  step.counts = {};
  for (std::span<const Sample> rest = samples_; !rest.empty();) {
    HostBatch& batch = step.batches.at(step.used++);
    const std::size_t taken = builder_.fitting(rest);
    builder_.build(rest.first(taken), batch);
    batch.set_step(next_step_);
    count(batch, step.counts);
    rest = rest.subspan(taken);
  }
}

}  // namespace tenfold

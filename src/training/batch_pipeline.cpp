#include "training/batch_pipeline.hpp"

namespace tenfold {

BatchPipeline::BatchPipeline(const Sequences& sequences, const Settings& settings, int vocabulary,
                             const BatchShape& shape, const Communicator& data, NoteTaker* notes)
    : schedule_(sequences.count(), settings.run.seed, settings.data.global_batch, data.rank(), data.size()),
      builder_(sequences, settings, vocabulary, shape, stream_key(settings.run.seed, "mask"), notes != nullptr),
      notes_(notes),
      micro_batch_(static_cast<std::size_t>(shape.sequences)) {
  const std::size_t micro_batches = static_cast<std::size_t>(settings.data.global_batch / data.size()) / micro_batch_;
  for (std::vector<HostBatch>* batches : {&batches_, &next_batches_}) {
    batches->reserve(micro_batches);
    for (std::size_t i = 0; i < micro_batches; ++i) batches->emplace_back(shape, notes != nullptr);
  }
}

void BatchPipeline::start(std::int64_t step) {
  next_step_ = step;
  build_next();
  if (notes_ == nullptr) return;
  notes_->request(next_batches_);
  notes_->open(step - 1);
}

std::span<const HostBatch> BatchPipeline::advance(Queue& queue, bool last) {
  if (notes_ != nullptr) notes_->receive(queue);
  batches_.swap(next_batches_);
  counts_ = next_counts_;
  ++next_step_;
  if (!last) build_next();
  if (notes_ != nullptr) notes_->request(last ? std::span<HostBatch>() : std::span(next_batches_));
  return batches_;
}

void BatchPipeline::build_next() {
  schedule_.samples(next_step_, samples_);
  next_counts_ = {};
  for (std::size_t i = 0; i < next_batches_.size(); ++i) {
    const auto part = std::span(samples_).subspan(i * micro_batch_, micro_batch_);
    builder_.build(part, next_batches_[i]);
    count(next_batches_[i], micro_batch_, next_counts_);
  }
}

}  // namespace tenfold

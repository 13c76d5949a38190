#include "training/validator.hpp"

#include <algorithm>

#include "parallel/agree.hpp"

namespace tenfold {

namespace {
constexpr std::uint64_t fixed_seed = 0;  // not the run's: losses of runs with other seeds stay comparable
}

Validator::Validator(const Sequences& sequences, const Settings& settings, int vocabulary, int rank, int ranks)
    : shape_(batch_shape(settings)),
      builder_(sequences, settings, vocabulary, shape_, stream_key(fixed_seed, "validation.mask"), true),
      batch_(shape_) {
  const EpochOrder order(sequences.count(), stream_key(fixed_seed, "validation"));
  const std::int64_t total = std::min(settings.validation.sequences, sequences.count());
  for (std::int64_t i = total * rank / ranks; i < total * (rank + 1) / ranks; ++i)
    samples_.push_back({i, order.at(0, i), 0});
  const std::int64_t most = (total + ranks - 1) / ranks;
  batches_ = static_cast<std::size_t>((most + shape_.sequences - 1) / shape_.sequences);
}

Validator::Result Validator::run(Queue& queue, Communicator& data, Learner& learner, NoteTaker* notes) {
  Counts counts;
  std::vector<double> sums(static_cast<std::size_t>(learner.objective().sums().elements()));
  std::vector<float> losses(static_cast<std::size_t>(shape_.selected));
  split_ = {};
  const auto micro = static_cast<std::size_t>(shape_.sequences);
  for (std::size_t i = 0; i < batches_; ++i) {
    const std::size_t first = std::min(i * micro, samples_.size());
    const auto samples = std::span(samples_).subspan(first, std::min(micro, samples_.size() - first));
    agree(data, [&] { builder_.build(samples, batch_); });
    const Tensor rows = notes != nullptr ? notes->look_up(queue, batch_) : Tensor();
    if (samples.empty()) continue;
    count(batch_, samples.size(), counts);
    learner.evaluate(queue, batch_, rows, sums, losses);
    add_split(losses);
  }
  counts = all_reduce(data, counts);
  data.all_reduce_sum(std::span(sums));
  data.all_reduce_sum(std::span<double>(split_));
  Result result{std::vector<double>(learner.objective().metric_names().size()),
                {split_[4] / split_[5], split_[6] / split_[7],
                 (split_[2] + split_[4] + split_[6]) / (split_[3] + split_[5] + split_[7]), split_[0] / split_[1]}};
  learner.objective().metrics(sums, counts, result.metrics);
  return result;
}

void Validator::add_split(std::span<const float> losses) {
  for (std::int32_t r = 0; r < batch_.selected; ++r) {
    const auto where = static_cast<std::size_t>(batch_.neighbourhoods[static_cast<std::size_t>(r)]);
    split_[2 * where] += losses[static_cast<std::size_t>(r)];
    split_[2 * where + 1] += 1;
  }
}

}  // namespace tenfold

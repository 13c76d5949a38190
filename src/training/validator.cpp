#include "training/validator.hpp"

#include <algorithm>

#include "parallel/agree.hpp"

namespace tenfold {

namespace {
constexpr std::uint64_t fixed_seed = 0;  // not the run's: losses of runs with other seeds stay comparable
}

Validator::Validator(const Sequences& sequences, const Settings& settings, const Vocabulary& vocabulary,
                     Communicator& data, Arena& host)
    : data_(data),
      budget_(batch_budget(settings)),
      builder_(sequences, settings, vocabulary, budget_, stream_key(fixed_seed, "validation.mask"), true),
      batch_(budget_, true, host) {
  const EpochOrder order(sequences.count(), stream_key(fixed_seed, "validation"));
  const std::int64_t total = std::min(settings.validation.sequences, sequences.count());
  const std::int64_t rank = data.rank(), ranks = data.size();
  for (std::int64_t i = total * rank / ranks; i < total * (rank + 1) / ranks; ++i)
    samples_.push_back({i, order.at(0, i), 0});
}

Validator::Result Validator::run(Trainer& trainer, bool with_notes) {
  Counts counts;
  std::vector<double> sums(static_cast<std::size_t>(trainer.objective().sums().elements()));
  std::vector<float> losses(static_cast<std::size_t>(budget_.selected));
  split_ = {};
  std::span<const Sample> rest = samples_;
  // Ranks differ in how many micro-batches their sequences fill.
  while (data_.all_reduce_max(static_cast<std::int64_t>(rest.size())) > 0) {
    const std::size_t taken = builder_.fitting(rest);
    agree(data_, [&] { builder_.build(rest.first(taken), batch_); });
    rest = rest.subspan(taken);
    trainer.evaluate(batch_, with_notes, sums, losses);
    count(batch_, counts);
    add_split(losses);
  }
  counts = all_reduce(data_, counts);
  data_.all_reduce_sum(std::span(sums));
  data_.all_reduce_sum(std::span<double>(split_));
  Result result{std::vector<double>(trainer.objective().metric_names().size()),
                {split_[4] / split_[5], split_[6] / split_[7],
                 (split_[2] + split_[4] + split_[6]) / (split_[3] + split_[5] + split_[7]), split_[0] / split_[1]}};
  trainer.objective().metrics(sums, counts, result.metrics);
  return result;
}

void Validator::add_split(std::span<const float> losses) {
  for (std::int32_t r = 0; r < batch_.count(BatchLayout::selected); ++r) {
    const auto where = static_cast<std::size_t>(batch_.neighbourhoods[static_cast<std::size_t>(r)]);
    split_[2 * where] += losses[static_cast<std::size_t>(r)];
    split_[2 * where + 1] += 1;
  }
}

}  // namespace tenfold

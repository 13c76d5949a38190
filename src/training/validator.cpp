#include "training/validator.hpp"

#include <algorithm>

#include "parallel/agree.hpp"

namespace tenfold {

namespace {
constexpr std::uint64_t fixed_seed = 0;  // not the run's: losses of runs with other seeds stay comparable
}

Validator::Validator(const Sequences& sequences, const Settings& settings, int vocabulary, int rank, int ranks)
    : shape_(batch_shape(settings)),
      builder_(sequences, settings.objective, vocabulary, shape_, stream_key(fixed_seed, "validation.mask")),
      batch_(shape_) {
  const EpochOrder order(sequences.count(), stream_key(fixed_seed, "validation"));
  const std::int64_t total = std::min(settings.validation.sequences, sequences.count());
  for (std::int64_t i = total * rank / ranks; i < total * (rank + 1) / ranks; ++i)
    samples_.push_back({i, order.at(0, i), 0});
}

Validator::Result Validator::run(Queue& queue, Communicator& data, Learner& learner) {
  Counts counts;
  std::vector<double> sums(static_cast<std::size_t>(learner.objective().sums().elements()));
  agree(data, [&] {
    for (std::size_t first = 0; first < samples_.size(); first += static_cast<std::size_t>(shape_.sequences)) {
      const std::size_t n = std::min(static_cast<std::size_t>(shape_.sequences), samples_.size() - first);
      builder_.build(std::span(samples_).subspan(first, n), batch_);
      count(batch_, n, counts);
      learner.evaluate(queue, batch_, sums);
    }
  });
  counts = all_reduce(data, counts);
  data.all_reduce_sum(std::span(sums));
  return {learner.objective().metrics(sums, counts), counts};
}

}  // namespace tenfold

// What all passes share, and the sample; counting and writing have their own files.
#include "preparation/passes.hpp"

#include <algorithm>

#include "base/random.hpp"
#include "parallel/agree.hpp"
#include "preparation/progress_line.hpp"

namespace tenfold {

namespace {

constexpr std::size_t batches_a_round = 8;

/// Uniform in [0, 1), from a hash of the text.
double uniform_of(const CleanUnit& unit, std::uint64_t purpose) {
  return static_cast<double>(stream_key(purpose, unit.lines) >> 11U) * 0x1p-53;
}

}  // namespace

void pass_over(const Survey& survey, const std::string& phase, MpiCommunicator& world,
               const std::function<void(const CleanUnit&, std::int64_t)>& visit, const std::function<void()>& meet) {
  const Share share = share_of(survey, world.rank(), world.size());
  const auto mine = static_cast<std::int64_t>((share.end - share.begin + batches_a_round - 1) / batches_a_round);
  BatchReader reader(survey, world.progress());
  ProgressLine progress(world.rank() == 0, phase, survey.bytes);
  std::size_t batch = share.begin;
  for (std::int64_t round = 0, rounds = world.all_reduce_max(mine); round < rounds; ++round) {
    const std::int64_t bytes = agree(world, [&] {
      std::int64_t seen = 0;
      for (const std::size_t stop = std::min(batch + batches_a_round, share.end); batch < stop; ++batch) {
        reader.read(batch, visit);
        seen += survey.batches[batch].end - survey.batches[batch].begin;
      }
      return seen;
    });
    meet();
    progress.advance(world.all_reduce_sum(bytes));
  }
}

Split split_of(const CleanUnit& unit, double valid_fraction) {
  return uniform_of(unit, 1) < valid_fraction ? Split::validation : Split::train;
}

TextSample sample_text(const Survey& survey, const Settings& settings, std::int64_t bytes, MpiCommunicator& world) {
  const double share = static_cast<double>(bytes) / static_cast<double>(survey.bytes);
  std::string mine;
  CharacterCounter counter(settings.tokenizer);
  const auto visit = [&](const CleanUnit& unit, std::int64_t) {
    counter.add(unit.lines);
    if (split_of(unit, settings.corpus.valid_fraction) == Split::train && uniform_of(unit, 2) < share)
      mine += unit.lines;
  };
  pass_over(survey, "sample", world, visit, [] {});
  // Shares follow one another in the text, so that the sample has one order on any number of ranks.
  const std::vector<char> all = world.all_gather_v(std::span<const char>(mine)).values;
  return {.lines = {all.begin(), all.end()}, .characters = sum_of_ranks(counter.counts(), world)};
}

}  // namespace tenfold

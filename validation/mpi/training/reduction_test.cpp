// Gradients that are summed over ranks while the backward pass runs, in many small buckets, are those that are summed
// in one when it is over.

#include <cmath>

#include "objectives/objective.hpp"
#include "training_test.hpp"

namespace tenfold {
namespace {

using testing::Case;
using testing::device;
using testing::small;
using testing::VariedSequences;
using testing::vocabulary;
using testing::world;

class Reduction : public ::testing::TestWithParam<Case> {};

/// Summed gradients of one micro-batch a rank, as a trainer makes them; how many buckets were complete before the end
/// of the backward pass is the communicator's to say.
std::vector<float> reduced(const Settings& settings, const Communicator::Buckets& buckets, int& early) {
  const std::unique_ptr<Queue> queue = device().make_queue();
  Arena tensors(device()), host(device(), MemoryKind::pinned);
  Parameters parameters;
  const std::unique_ptr<Objective> objective = make_objective(settings, vocabulary, parameters);
  parameters.allocate(tensors, DType::f32);
  objective->allocate(tensors, batch_budget(settings), DType::f32);
  objective->prepare(*queue);
  parameters.initialise(*queue, 1, vocabulary.special.pad);
  const VariedSequences sequences(vocabulary, settings.data.sequence_length);
  BatchPipeline pipeline(sequences, settings, vocabulary, false, world().rank(), world().size(), host);
  pipeline.start(1);
  pipeline.advance(true);
  DeviceBatch batch(batch_budget(settings), {}, tensors);
  batch.copy_in(*queue, pipeline.present().front());

  objective->begin_step(*queue, {all_reduce(world(), pipeline.counts()), 0});
  objective->forward(*queue, batch.masked, true);
  GradientReducer reducer(world(), *queue, parameters.gradients(), buckets);
  parameters.begin_backward();
  reducer.begin_step();
  std::int64_t last = parameters.complete_from();
  early = 0;
  queue->observe([&](const char*) {
    early += parameters.complete_from() < last ? 1 : 0;
    last = parameters.complete_from();
    reducer.ready(last);
    reducer.poll();
  });
  objective->backward(*queue, batch.masked);
  queue->observe({});
  reducer.finish();
  return testing::read(*queue, parameters.gradients());
}

TEST_P(Reduction, UnderTheBackwardPassInSmallBucketsEqualsOneBucket) {
  const Settings settings = small(GetParam(), world().size());
  int early = 0;
  const std::vector<float> one = reduced(settings, {.bytes = 1 << 30, .under_way = 1}, early);
  for (const int under_way : {1, 4, 1000}) {
    const std::vector<float> many = reduced(settings, {.bytes = 4096, .under_way = under_way}, early);
    EXPECT_GT(early, 3) << "parameters complete while the pass runs";
    if (world().size() <= 2) {
      EXPECT_EQ(many, one);
      continue;
    }
    // The order of three and more summands is the library's, and may hang on the length of a message.
    double errors = 0, squares = 0;
    for (std::size_t i = 0; i < one.size(); ++i) {
      errors += std::pow(double{many[i]} - double{one[i]}, 2);
      squares += std::pow(double{one[i]}, 2);
    }
    EXPECT_LT(std::sqrt(errors / squares), 3e-7);
  }
}

INSTANTIATE_TEST_SUITE_P(Objectives, Reduction,
                         ::testing::Values(Case{ObjectiveKind::mlm, Precision::f32},
                                           Case{ObjectiveKind::electra, Precision::f32},
                                           Case{ObjectiveKind::multiple_choice, Precision::f32}),
                         testing::name_of_case);

}  // namespace
}  // namespace tenfold

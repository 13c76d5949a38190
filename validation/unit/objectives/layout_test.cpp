// How the parameters of every objective lie on the ranks of a tensor group and of the data ranks: every element of
// every logical tensor once, and with the initial value that it has on one rank.

#include <map>

#include "objective_test.hpp"

namespace tenfold {
namespace {

using testing::Case;
using testing::device;
using testing::read;
using testing::small;
using testing::vocabulary;

constexpr std::array kinds{ObjectiveKind::mlm, ObjectiveKind::electra, ObjectiveKind::multiple_choice};

/// The parameters that an objective declares on one rank of a tensor group, with initial values.
struct Declared {
  Declared(const Settings& settings, const TensorRank& rank) : parameters(rank) {
    make_objective(settings, vocabulary, parameters);
    parameters.allocate(arena, DType::f32);
    parameters.initialise(*queue, 4, vocabulary.special.pad);
    masters = read(*queue, parameters.masters());
  }
  std::unique_ptr<Queue> queue = device().make_queue();
  Arena arena{device()};
  Parameters parameters;
  std::vector<float> masters;
};

class Layout : public ::testing::TestWithParam<Case> {};

/// Where an element of a parameter's part here stands in the logical tensor.
std::int64_t logical_element(const Parameter& parameter, std::int64_t element) {
  if (parameter.shape.rank() == 1) return parameter.start[0] + element;
  const std::int64_t row = parameter.start[0] + element / parameter.local[1];
  return row * parameter.shape[1] + parameter.start[1] + element % parameter.local[1];
}

TEST_P(Layout, PiecesOfAllRanksCoverEveryTensorOnceAndHoldTheValuesOfOneRank) {
  const Settings settings = small(GetParam(), 0);
  const Declared whole(settings, {});
  for (const int tensor_ranks : {1, 2})
    for (const int data_ranks : {1, 2, 3}) {
      std::map<std::string, std::vector<int>> seen;
      for (int tensor_rank = 0; tensor_rank < tensor_ranks; ++tensor_rank) {
        const Declared part(settings, {tensor_rank, tensor_ranks});
        ASSERT_EQ(part.parameters.all().size(), whole.parameters.all().size());
        EXPECT_EQ(part.parameters.count(), whole.parameters.count()) << "of the logical tensors";
        for (int data_rank = 0; data_rank < data_ranks; ++data_rank)
          for (std::size_t p = 0; p < part.parameters.all().size(); ++p) {
            const Parameter& parameter = part.parameters.all()[p];
            const Parameter& logical = whole.parameters.all()[p];
            ASSERT_EQ(parameter.name, logical.name);
            ASSERT_EQ(parameter.shape, logical.local);
            std::vector<int>& times = seen[parameter.name];
            times.resize(static_cast<std::size_t>(logical.elements()));
            const auto [first, last] = part.parameters.part(parameter, part.parameters.share(data_rank, data_ranks));
            for (std::int64_t at = first; at < last; ++at) {
              const std::int64_t element = logical_element(parameter, at);
              ++times.at(static_cast<std::size_t>(element));
              ASSERT_EQ(part.masters.at(static_cast<std::size_t>(parameter.offset + at)),
                        whole.masters[static_cast<std::size_t>(logical.offset + element)])
                  << parameter.name << " element " << element;
            }
          }
      }
      for (const auto& [name, times] : seen)
        EXPECT_EQ(times, std::vector<int>(times.size(), 1))
            << name << " over " << tensor_ranks << " tensor and " << data_ranks << " data ranks";
    }
}

TEST_P(Layout, WhatAllHoldHasTheSameBitsOnAllRanks) {
  const Settings settings = small(GetParam(), 0);
  const Declared first(settings, {0, 2}), second(settings, {1, 2});
  int replicated = 0, divided = 0;
  for (const Parameter& parameter : first.parameters.all()) {
    ++(parameter.split == TensorSplit::none ? replicated : divided);
    if (parameter.split != TensorSplit::none) continue;
    EXPECT_EQ(read(*first.queue, first.parameters.master(parameter)),
              read(*second.queue, second.parameters.master(parameter)))
        << parameter.name;
  }
  EXPECT_GT(replicated, 10);
  EXPECT_GT(divided, 10);
}

TEST_P(Layout, SharesOfDataRanksAreWholeCacheLinesOneAfterAnother) {
  const Declared declared(small(GetParam(), 0), {});
  for (const int ranks : {1, 2, 3, 64}) {
    std::int64_t next = 0;
    for (int rank = 0; rank < ranks; ++rank) {
      const Parameters::Share share = declared.parameters.share(rank, ranks);
      EXPECT_EQ(share.first, next);
      EXPECT_EQ(share.first % 64, 0);
      next = share.last;
    }
    EXPECT_EQ(next, declared.parameters.padded_size());
  }
}

TEST_P(Layout, InitialValuesAreWhatTheyAreSaidToBe) {
  const Declared declared(small(GetParam(), 0), {});
  int vocabulary_biases = 0;
  for (const Parameter& parameter : declared.parameters.all()) {
    const std::vector<float> values = read(*declared.queue, declared.parameters.master(parameter));
    if (parameter.name.ends_with("head.bias")) {
      ++vocabulary_biases;
      EXPECT_EQ(values, std::vector<float>(static_cast<std::size_t>(vocabulary.size))) << parameter.name;
    }
    if (parameter.initial == Initial::one) {
      EXPECT_EQ(values, std::vector<float>(values.size(), 1.0F));
    }
    if (parameter.initial == Initial::token_table) {
      const auto width = values.size() / static_cast<std::size_t>(vocabulary.size);
      const auto pad = std::span(values).subspan(static_cast<std::size_t>(vocabulary.special.pad) * width, width);
      EXPECT_EQ(testing::norm(pad), 0);
    }
    if (values.size() < 200 || (parameter.initial != Initial::normal && parameter.initial != Initial::token_table))
      continue;
    const double deviation = testing::norm(values) / std::sqrt(static_cast<double>(values.size()));
    EXPECT_NEAR(deviation, 0.02, 0.02 * 5 / std::sqrt(2.0 * static_cast<double>(values.size()))) << parameter.name;
  }
  EXPECT_EQ(vocabulary_biases, 1) << "of the one network that fills masks";
}

INSTANTIATE_TEST_SUITE_P(Objectives, Layout,
                         ::testing::Values(Case{ObjectiveKind::mlm}, Case{ObjectiveKind::electra},
                                           Case{ObjectiveKind::multiple_choice},
                                           Case{ObjectiveKind::mlm, PositionEncoding::relative}),
                         testing::name_of_case);

/// What make_objective says of settings on a rank of two.
std::string refusal(const Settings& settings, const Vocabulary& words) {
  Parameters parameters({1, 2});
  try {
    make_objective(settings, words, parameters);
  } catch (const Error& error) {
    return error.what();
  }
  return "nothing";
}

TEST(Split, ThatDoesNotDivideNamesTheParameter) {
  for (const ObjectiveKind kind : kinds) {
    Settings settings = small({kind}, 0);
    EXPECT_EQ(refusal(settings, vocabulary), "nothing");
    EXPECT_NE(refusal(settings, {vocabulary.size + 1}).find("embeddings.token.weight"), std::string::npos);
    settings.model.feed_forward = 2 * 13;  // the small network's half is odd
    const std::string said = refusal(settings, vocabulary);
    const bool has_small_network = kind != ObjectiveKind::mlm;
    EXPECT_EQ(said.find("encoder.layer.0.feed_forward.input.weight") != std::string::npos, has_small_network) << said;
  }
}

}  // namespace
}  // namespace tenfold

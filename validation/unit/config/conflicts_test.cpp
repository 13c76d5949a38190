// Keys that contradict each other, and what follows from the number of ranks.

#include "support.hpp"

namespace tenfold {
namespace {

std::string conflict(const std::string& text) {
  return complaint([&] { pretrain({command_line(text)}); });
}

TEST(Conflicts, NameTheKeysConcerned) {
  expect_contains(conflict("model.width=100\nmodel.heads=3\n"), {"model.width = 100", "model.heads = 3"});
  expect_contains(conflict("model.relative_buckets=7\n"), {"model.relative_buckets = 7", "even"});
  expect_contains(conflict("model.relative_buckets=64\nmodel.relative_max_distance=16\n"),
                  {"model.relative_max_distance = 16", "model.relative_buckets = 64"});
  expect_contains(conflict("objective.leave_unmasked=0.6\nobjective.replace_random=0.6\n"),
                  {"objective.leave_unmasked = 0.6", "objective.replace_random = 0.6"});
  expect_contains(complaint([] {
                    parse_configuration("prepare", {file("[corpus]\ntext = a\nfile = b\nrare_min_count = 9\n"
                                                         "rare_max_count = 8\n")});
                  }),
                  {"corpus.rare_min_count = 9", "corpus.rare_max_count = 8"});
}

TEST(Conflicts, KeysWithoutAMeaningAreRefusedWhateverTheirValue) {
  for (const char* position : {"absolute", "relative"}) {
    for (const char* value : {"true", "false"}) {
      expect_contains(conflict(text("model.position=", position, "\nmodel.untie_cls=", value, '\n')),
                      {"model.untie_cls", "tupe-a or tupe-r"});
    }
  }
  expect_contains(conflict("model.position=tupe-a\nmodel.relative_buckets=32\n"), {"model.relative_buckets"});
  for (const char* position : {"tupe-a", "tupe-r"}) {
    EXPECT_NO_THROW(pretrain({command_line(text("model.position=", position, "\nmodel.untie_cls=false\n"))}));
  }
  EXPECT_NO_THROW(pretrain({command_line("model.position=relative\nmodel.relative_buckets=16\n")}));
}

Settings batch(int global, std::optional<int> micro = {}, std::optional<int> data = {}) {
  Settings settings;
  settings.data.global_batch = global;
  settings.data.micro_batch = micro;
  settings.parallel.data = data;
  return settings;
}

TEST(Resolve, MicroBatchIs32OrARanksShare) {
  struct Case {
    int global, world, micro;
  };
  for (const auto& [global, world, micro] : {Case{64, 1, 32},
                                             {64, 2, 32},
                                             {64, 4, 16},
                                             {96, 2, 32},
                                             {66, 1, 32},
                                             {37, 1, 32},
                                             {31, 1, 31},
                                             {256, 1, 32},
                                             {3, 3, 1}}) {
    Settings settings = batch(global);
    resolve(settings, world);
    EXPECT_EQ(settings.data.micro_batch, micro) << global << " over " << world;
    EXPECT_EQ(settings.parallel.data, world);
  }
}

TEST(Resolve, GivenValuesStand) {
  Settings settings = batch(64, 8, 2);
  resolve(settings, 2);
  EXPECT_EQ(settings.data.micro_batch, 8);
  EXPECT_EQ(settings.parallel.data, 2);
}

TEST(Resolve, WithoutAWorldDataStandsForItself) {
  Settings alone = batch(64);
  resolve(alone, std::nullopt);
  EXPECT_EQ(alone.parallel.data, 1);
  Settings planned = batch(4096, {}, 256);
  resolve(planned, std::nullopt);
  EXPECT_EQ(planned.parallel.data, 256);
  EXPECT_EQ(planned.data.micro_batch, 16);
}

TEST(Resolve, AMicroBatchNeedNotDivideAShare) {
  Settings settings = batch(64, 24);
  resolve(settings, 1);
  EXPECT_EQ(settings.data.micro_batch, 24);
}

TEST(Resolve, RefusesWhatDoesNotFit) {
  const auto refusal = [](Settings settings, int world) { return complaint([&] { resolve(settings, world); }); };
  expect_contains(refusal(batch(64), 3), {"data.global_batch = 64", "3"});
  expect_contains(refusal(batch(64, 33), 2), {"data.global_batch = 64", "data.micro_batch = 33", "32"});
  expect_contains(refusal(batch(2), 4), {"data.global_batch = 2", "4"});
  expect_contains(refusal(batch(64, {}, 2), 4), {"parallel.data = 2", "4"});
}

}  // namespace
}  // namespace tenfold

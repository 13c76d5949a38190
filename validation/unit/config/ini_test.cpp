// Printing a configuration, reading it back, comparing two, and the help texts.

#include "support.hpp"

namespace tenfold {
namespace {

const std::vector<std::string> commands_with_keys = {"prepare", "pretrain", "bench", "plan"};

TEST(Ini, PrintedConfigurationReadsBackToTheSame) {
  const Settings given = pretrain({file(R"(
[run]
seed = 345678901234567890
resume = always
[model]
position = relative
relative_buckets = 16
dropout = 0.30000000000000004
[optimizer]
learning_rate = 1.2345678901234567e-7
[parallel]
threads = 3
)")});
  const std::string ini = to_ini(given, "pretrain");
  EXPECT_TRUE(differences(given, from_ini(ini)).empty());
  EXPECT_EQ(to_ini(parse_configuration("pretrain", {file(ini)}), "pretrain"), ini);
}

TEST(Ini, DefaultsOfEveryCommandAndPositionCanBeFedBack) {
  for (const std::string& command : commands_with_keys) {
    for (const auto position :
         {PositionEncoding::absolute, PositionEncoding::relative, PositionEncoding::tupe_a, PositionEncoding::tupe_r}) {
      Settings settings = from_ini("[run]\nfolder = f\n[data]\ncorpus = c\n[corpus]\ntext = a\ntext = b\nfile = c\n");
      settings.model.position = position;
      const std::string ini = to_ini(settings, command);
      EXPECT_EQ(to_ini(parse_configuration(command, {file(ini)}), command), ini);
    }
  }
}

TEST(Ini, PrintsResolvedValuesAndOnlyWhatTheCommandReads) {
  Settings settings;
  settings.model.position = PositionEncoding::absolute;
  expect_contains(to_ini(settings, "pretrain"), {"micro_batch = auto\n"});
  resolve(settings, 2);
  const std::string ini = to_ini(settings, "pretrain");
  expect_contains(ini, {"[data]\n", "micro_batch = 32\n", "[parallel]\ndata = 2\n", "learning_rate = 0.0005\n"});
  EXPECT_EQ(ini.find("[corpus]"), std::string::npos);
  EXPECT_EQ(ini.find("untie_cls"), std::string::npos) << "no meaning with absolute positions";
  EXPECT_EQ(to_ini(settings, "bench").find("[optimizer]"), std::string::npos);
}

TEST(Ini, ValuesByKeyAreThoseOfTheText) {
  const Settings settings;
  const auto values = to_map(settings, "pretrain");
  EXPECT_EQ(values.at("model.layers"), "4");
  EXPECT_EQ(values.at("model.position"), "tupe-r");
  EXPECT_EQ(values.count("corpus.text"), 0U);
  std::string ini;
  for (const auto& [key, value] : values) ini += text(key, " = ", value, '\n');
  EXPECT_TRUE(differences(settings, from_ini(ini)).empty());
}

TEST(Ini, OptionsOfACallAreNoConfiguration) {
  Settings settings;
  settings.call.json = true;
  EXPECT_EQ(to_ini(settings, "bench"), to_ini(Settings(), "bench"));
  EXPECT_EQ(to_map(settings, "bench"), to_map(Settings(), "bench"));
  EXPECT_TRUE(differences(settings, Settings()).empty());
  EXPECT_THROW(from_ini("json = true\n"), InputError);
}

TEST(Ini, StoredConfigurationOfAnotherProgramIsRefused) {
  EXPECT_THROW(from_ini("[model]\nlayers = 4\ncolour = red\n"), InputError);
}

TEST(Differences, NameKeyAndBothValues) {
  Settings a;
  Settings b;
  b.model.layers = 6;
  b.model.position = PositionEncoding::absolute;
  const auto list = differences(a, b);
  ASSERT_EQ(list.size(), 5U);
  EXPECT_EQ(list[0].key, "model.layers");
  EXPECT_EQ(list[0].a, "4");
  EXPECT_EQ(list[0].b, "6");
  EXPECT_EQ(list[2].key, "model.untie_cls");
  EXPECT_EQ(list[2].a, "true");
  EXPECT_EQ(list[2].b, "n/a");
}

TEST(Differences, OnlySomeKeysMayDifferOnResume) {
  Settings stored;
  Settings given;
  given.run = {.folder = "other", .seed = stored.run.seed, .steps = 77, .resume = Resume::always};
  given.data.corpus = "moved.h5";
  given.data.micro_batch = 4;
  given.parallel.data = 3;
  given.parallel.threads = 2;
  given.parallel.stall_timeout = 5;
  given.parallel.replica_check_every = 7;
  given.checkpoint = {.every = 3, .keep = 9};
  given.validation = {.every = 3, .sequences = 9};
  given.log.every = 3;
  given.corpus.file = "not pretrain's";
  given.call = {.json = true, .notes = {"word"}};
  EXPECT_FALSE(differences(stored, given).empty());
  EXPECT_TRUE(differences_that_forbid_resume(stored, given).empty());

  given.run.seed = 2;
  given.data.global_batch = 128;
  given.data.sequence_length = 64;
  given.model.dropout = 0;
  given.objective.mask_rate = 0.2;
  given.optimizer.beta2 = 0.999;
  given.precision = Precision::bf16;
  std::vector<std::string> keys;
  for (const KeyDifference& difference : differences_that_forbid_resume(stored, given)) keys.push_back(difference.key);
  EXPECT_EQ(keys, (std::vector<std::string>{"run.seed", "data.sequence_length", "data.global_batch", "model.dropout",
                                            "objective.mask_rate", "optimizer.beta2", "precision.compute"}));
}

TEST(Help, ListsAllCommandsAndTheKeysOfEach) {
  expect_contains(help(), {"prepare", "pretrain", "inspect", "bench", "plan"});
  const std::string page = help(command_named("pretrain"));
  expect_contains(page, {"[model]", "layers = 4", "integer, 1 to 1000", "sequence_length = 128", "tokens",
                         "micro_batch = auto", "position = tupe-r", "absolute, relative, tupe-a, tupe-r", "required"});
  EXPECT_EQ(page.find("[corpus]"), std::string::npos);
  expect_contains(help(command_named("prepare")), {"[corpus]", "[tokenizer]", "rare_min_count = auto"});
  EXPECT_THROW(command_named("trian"), InputError);
}

TEST(Help, SaysHowACommandIsCalled) {
  EXPECT_EQ(usage(command_named("inspect")), "tenfold inspect FILE [--json] [--notes=word,...]");
  EXPECT_EQ(usage(command_named("bench")), "tenfold bench [CONFIG.ini ...] [--section.key=value ...] [--json]");
  const std::string page = help(command_named("inspect"));
  expect_contains(
      page, {usage(command_named("inspect")), "command line only", "  --json ", "JSON object", "  --notes=word,... "});
  EXPECT_EQ(page.find("Later files"), std::string::npos);
  EXPECT_EQ(help(command_named("plan")).find("--json"), std::string::npos);
}

TEST(Help, NamesEveryKeyThatAPrintedConfigurationHas) {
  for (const std::string& command : commands_with_keys) {
    std::istringstream lines(to_ini(Settings(), command));
    for (std::string line; std::getline(lines, line);) {
      if (!line.empty())
        expect_contains(help(command_named(command)), {line.substr(0, line.find_last_not_of(' ') + 1)});
    }
  }
}

TEST(Help, FitsATerminalOf120Columns) {
  for (const std::string& command : commands_with_keys) {
    std::istringstream lines(help(command_named(command)));
    for (std::string line; std::getline(lines, line);) EXPECT_LE(line.size(), 120U) << line;
  }
}

}  // namespace
}  // namespace tenfold

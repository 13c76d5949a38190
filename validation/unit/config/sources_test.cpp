// Gathering files and overrides, their broadcast form, and the configurations that ship with the program.

#include <filesystem>
#include <fstream>

#include "support.hpp"

namespace tenfold {
namespace {

namespace fs = std::filesystem;

class Files : public testing::Test {
 protected:
  Files() : folder_(fs::path(testing::TempDir()) / text("config-", getpid())) { fs::create_directories(folder_); }
  ~Files() override { fs::remove_all(folder_); }
  std::string write(const std::string& name, const std::string& bytes) const {
    std::ofstream(folder_ / name, std::ios::binary) << bytes;
    return folder_ / name;
  }
  fs::path folder_;
};

TEST_F(Files, AreGatheredInOrderAndTheCommandLineIsLast) {
  const std::string first = write("a.ini", "[model]\nlayers = 2\n");
  const std::string second = write("b.ini", "[model]\nlayers = 3\n");
  const auto sources = gather_sources({first, "--model.layers=7", second, "--run.folder=a=b"});
  ASSERT_EQ(sources.size(), 3U);
  EXPECT_EQ(sources[0].name, first);
  EXPECT_EQ(sources[1].text, "[model]\nlayers = 3\n");
  EXPECT_TRUE(sources[2].command_line);
  const Settings settings = pretrain(sources);
  EXPECT_EQ(settings.model.layers, 7);
  EXPECT_EQ(settings.run.folder, "a=b");
}

TEST_F(Files, ThatCannotBeConfigurationsAreRefusedByName) {
  const auto refusal = [](const std::string& name) { return complaint([&] { gather_sources({name}); }); };
  expect_contains(refusal(folder_ / "none.ini"), {"none.ini", "No such file"});
  expect_contains(refusal(folder_), {folder_, "folder"});
  expect_contains(refusal(write("binary.ini", std::string("[model]\0", 8))), {"binary.ini"});
  expect_contains(refusal(write("large.ini", std::string(2U << 20U, '\n'))), {"large.ini"});
}

TEST(CommandLine, RefusesWhatIsNoOverride) {
  for (const char* argument : {"-x", "--model.layers", "-m.layers=3", "--", "--[model]=]"}) {
    expect_contains(complaint([&] { gather_sources({argument}); }), {argument, "--section.key=value"});
  }
  expect_contains(complaint([] { gather_sources({"--run.folder=a#b"}); }), {"--run.folder=a#b", "#"});
  expect_contains(complaint([] { gather_sources({"--run.folder=a\nrun.seed=3"}); }), {"line break"});
  expect_contains(complaint([] { pretrain(gather_sources({"--=3"})); }), {"unknown key"});
}

TEST(Broadcast, RestoresAnySources) {
  const std::vector<Source> sources = {{.name = "a b.ini", .text = "[x]\n1 2 3\n"},
                                       {.name = "", .text = ""},
                                       {.name = "b\n", .text = std::string("\0\n", 2)},
                                       {.name = "command line", .text = "k=v\n", .command_line = true}};
  EXPECT_EQ(deserialise(serialise(sources)), sources);
  EXPECT_TRUE(deserialise(serialise({})).empty());
  const std::string bytes = serialise(sources);
  EXPECT_THROW(deserialise(bytes.substr(0, bytes.size() - 1)), Error);
  EXPECT_THROW(deserialise("nonsense"), Error);
}

std::vector<std::string> inputs(const std::string& folder) {
  std::vector<std::string> files;
  for (const auto& entry : fs::directory_iterator(fs::path(TENFOLD_INPUTS) / folder)) files.push_back(entry.path());
  return files;
}

TEST_F(Files, AByteOrderMarkIsNoText) {
  const std::string marked = write("marked.ini", "\xEF\xBB\xBF[model]\nlayers = 2\n");
  EXPECT_EQ(gather_sources({marked}).front().text, "[model]\nlayers = 2\n");
}

TEST(Inputs, EverySizeGoesWithEveryMethodInEveryCommandThatTrains) {
  ASSERT_EQ(inputs("sizes").size(), 4U);
  ASSERT_EQ(inputs("methods").size(), 8U);
  for (const std::string& size : inputs("sizes")) {
    for (const std::string& method : inputs("methods")) {
      const auto sources = gather_sources({size, method});
      for (const int ranks : {1, 2, 4}) {
        Settings settings = pretrain(sources);
        EXPECT_NO_THROW(resolve(settings, ranks)) << size << " " << method;
      }
      EXPECT_NO_THROW(parse_configuration("bench", sources));
      EXPECT_NO_THROW(parse_configuration("plan", sources));
    }
  }
}

TEST(Inputs, SizesAndMethodsAreWhatTheirNamesSay) {
  const auto read = [](const std::string& size, const std::string& method) {
    const std::string folder = TENFOLD_INPUTS;
    return pretrain(gather_sources({folder + "/sizes/" + size + ".ini", folder + "/methods/" + method + ".ini"}));
  };
  const Settings base = read("base", "bert");
  EXPECT_EQ(base.model.layers, 12);
  EXPECT_EQ(base.model.width, 768);
  EXPECT_EQ(base.model.heads, 12);
  EXPECT_EQ(base.model.feed_forward, 3072);
  EXPECT_EQ(base.data.sequence_length, 512);
  EXPECT_EQ(base.data.global_batch, 256);
  EXPECT_EQ(base.run.steps, 1'000'000);
  EXPECT_EQ(base.optimizer.learning_rate, 1e-4);
  EXPECT_EQ(base.optimizer.warmup_steps, 10'000);
  EXPECT_EQ(base.tokenizer.vocabulary_size, 32768);
  EXPECT_EQ(read("tiny", "bert").model.layers, 4);
  EXPECT_EQ(read("small", "bert").model.layers, 12);
  EXPECT_EQ(read("small", "bert").model.width, 256);
  EXPECT_EQ(read("tiny", "bert").model.position, PositionEncoding::absolute);
  EXPECT_EQ(read("tiny", "bert-relative").model.position, PositionEncoding::relative);
  EXPECT_EQ(read("tiny", "tupe-a").model.position, PositionEncoding::tupe_a);
  EXPECT_EQ(read("tiny", "tupe-r").model.position, PositionEncoding::tupe_r);
}

TEST(Inputs, MethodsHaveThePapersNumbers) {
  const auto resolved = [](const std::string& size, const std::string& method) {
    const std::string folder = TENFOLD_INPUTS;
    Settings settings =
        pretrain(gather_sources({folder + "/sizes/" + size + ".ini", folder + "/methods/" + method + ".ini"}));
    resolve(settings, 1);
    return settings;
  };
  const Settings bert = resolved("base", "bert"), electra = resolved("base", "electra"),
                 choice = resolved("base", "multiple-choice"), all = resolved("base", "tenfold");
  EXPECT_EQ(bert.objective.kind, ObjectiveKind::mlm);
  EXPECT_EQ(electra.objective.kind, ObjectiveKind::electra);
  EXPECT_EQ(choice.objective.kind, ObjectiveKind::multiple_choice);
  EXPECT_EQ(all.objective.kind, ObjectiveKind::multiple_choice);
  EXPECT_EQ(all.model.position, PositionEncoding::tupe_r);
  EXPECT_TRUE(all.notes.enabled);
  EXPECT_TRUE(resolved("base", "notes").notes.enabled);
  EXPECT_FALSE(bert.notes.enabled || electra.notes.enabled || choice.notes.enabled);
  for (const Settings& settings : {bert, electra, choice, all}) {
    const double kept = settings.objective.kind == ObjectiveKind::mlm ? 0.1 : 0.0;
    EXPECT_EQ(settings.objective.mask_rate, 0.15);
    EXPECT_EQ(settings.objective.leave_unmasked, kept);
    EXPECT_EQ(settings.objective.replace_random, kept);
  }
  EXPECT_EQ(electra.objective.loss_weight, 50);
  EXPECT_EQ(choice.objective.loss_weight, 20);
  EXPECT_EQ(choice.objective.candidates, 10);
  EXPECT_EQ(electra.objective.generator_divider, 3);
  EXPECT_EQ(choice.objective.generator_divider, 3);
  EXPECT_EQ(resolved("small", "electra").objective.generator_divider, 4);
  EXPECT_EQ(resolved("small", "multiple-choice").objective.generator_divider, 2);
  EXPECT_EQ(all.notes.mix, 0.5);
  EXPECT_EQ(all.notes.update_rate, 0.1);
  EXPECT_EQ(all.notes.window, 16);
  EXPECT_EQ(resolved("small", "tenfold").notes.window, 8);
}

TEST(Inputs, LaterSourcesOverrideWhatAMethodSays) {
  const std::string folder = std::string(TENFOLD_INPUTS) + "/methods/";
  EXPECT_FALSE(pretrain(gather_sources({folder + "tenfold.ini", "--notes.enabled=false"})).notes.enabled);
  const Settings tupe = pretrain(gather_sources({folder + "multiple-choice.ini", folder + "tupe-r.ini"}));
  EXPECT_EQ(tupe.objective.kind, ObjectiveKind::mlm);
  EXPECT_EQ(tupe.model.position, PositionEncoding::tupe_r);
  EXPECT_THROW(pretrain(gather_sources({folder + "bert.ini", "--notes.mix=0.3"})), InputError);
  EXPECT_THROW(pretrain(gather_sources({folder + "tenfold.ini", "--notes.enabled=false", "--notes.mix=0.3"})),
               InputError);
}

}  // namespace
}  // namespace tenfold

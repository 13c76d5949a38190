// Reading keys and values: types, precedence of sources, and what is refused and how the user is told.

#include "support.hpp"

namespace tenfold {
namespace {

TEST(Parse, ReadsEveryTypeOfValue) {
  const Settings settings = pretrain({file(R"(
# a comment
[run]
folder = runs/a b     # spaces inside stay
seed = 1000000000000000000
resume = auto
[data]
micro_batch = 16
[model]
position = tupe-a
untie_cls = false
dropout = 0.25
[optimizer]
epsilon = 1e-8
[precision]
compute = bf16
[parallel]
threads = auto
)")});
  EXPECT_EQ(settings.run.folder, "runs/a b");
  EXPECT_EQ(settings.run.seed, 1000000000000000000U);
  EXPECT_EQ(settings.run.resume, Resume::auto_);
  EXPECT_EQ(settings.data.micro_batch, 16);
  EXPECT_EQ(settings.model.position, PositionEncoding::tupe_a);
  EXPECT_FALSE(settings.model.untie_cls);
  EXPECT_EQ(settings.model.dropout, 0.25);
  EXPECT_EQ(settings.optimizer.epsilon, 1e-8);
  EXPECT_EQ(settings.precision, Precision::bf16);
  EXPECT_FALSE(settings.parallel.threads.has_value());
}

TEST(Parse, LaterSourcesWin) {
  const Settings settings = pretrain(
      {file("[model]\nlayers = 2\nwidth = 128\n"), file("[model]\nlayers = 3\n"), command_line("model.layers=5\n")});
  EXPECT_EQ(settings.model.layers, 5);
  EXPECT_EQ(settings.model.width, 128);
}

TEST(Parse, ReadsWindowsLineEnds) {
  EXPECT_EQ(pretrain({file("[model]\r\nlayers = 2\r\n")}).model.layers, 2);
}

TEST(Parse, TextsOfACorpusMayRepeatAndALaterSourceReplacesThem) {
  const Source texts = file("[corpus]\nfile = c.h5\ntext = a\ntext = b\n");
  EXPECT_EQ(parse_configuration("prepare", {texts}).corpus.text, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(parse_configuration("prepare", {texts, command_line("corpus.text=c\n")}).corpus.text,
            std::vector<std::string>{"c"});
}

TEST(Parse, UnknownKeyNamesSourceAndNearestKey) {
  expect_contains(complaint([] { pretrain({file("[model]\nlayer = 2\n")}); }),
                  {"run.ini", "model.layer;", "did you mean model.layers?"});
  expect_contains(complaint([] { pretrain({command_line("optimizer.learning-rate=1\n")}); }),
                  {"command line", "optimizer.learning-rate", "optimizer.learning_rate"});
  expect_contains(complaint([] { pretrain({command_line("layers=2\n")}); }), {"model.layers"});
  expect_contains(complaint([] { pretrain({file("[modell]\nheads = 2\n")}); }), {"modell.heads", "model.heads"});
}

TEST(Parse, KeyTwiceInOneSourceIsRefused) {
  expect_contains(complaint([] { pretrain({file("[model]\nlayers = 2\n[run]\nseed = 1\n[model]\nlayers = 3\n")}); }),
                  {"run.ini", "model.layers", "twice", "2", "3"});
  expect_contains(complaint([] { pretrain({command_line("run.seed=1\nrun.seed=1\n")}); }),
                  {"command line", "run.seed"});
}

TEST(Parse, BadValuesNameKeyValueAndWhatIsAllowed) {
  const std::vector<std::vector<std::string>> cases = {
      {"model.layers", "0", "integer, 1 to 1000"},
      {"model.layers", "2.5", "integer"},
      {"model.layers", "two", "integer"},
      {"model.layers", "2x", "integer"},
      {"model.layers", "", "integer"},
      {"model.layers", "99999999999999999999", "1 to 1000"},
      {"run.seed", "-1", "0 to 1000000000000000000"},
      {"run.steps", "4294967296", "1 to 4294967295"},
      {"model.dropout", "1", "0 or more, less than 1"},
      {"model.dropout", "nan", "number"},
      {"optimizer.learning_rate", "inf", "number"},
      {"optimizer.epsilon", "0", "more than 0"},
      {"model.untie_cls", "yes", "true or false"},
      {"model.position", "tupe", "absolute, relative, tupe-a, tupe-r"},
      {"precision.compute", "fp16", "f32, bf16"},
      {"data.micro_batch", "0", "auto or integer"},
      {"parallel.tensor", "2", "1 to 1"},
      {"parallel.stall_timeout", "0", "seconds"},
  };
  for (const auto& parts : cases) {
    expect_contains(complaint([&] { pretrain({command_line(parts[0] + "=" + parts[1] + "\n")}); }),
                    {parts[0] + " = " + parts[1], parts[2], "command line"});
  }
}

TEST(Parse, TextThatIsNoIniNamesItsSource) {
  expect_contains(complaint([] { pretrain({file("model.layers 2\n")}); }), {"run.ini", "model.layers 2"});
  expect_contains(complaint([] { pretrain({file("[]\nlayers = 2\n")}); }), {"run.ini", "[]"});
}

TEST(Parse, KeysOfOtherCommandsMayStandInFilesOnly) {
  EXPECT_NO_THROW(pretrain({file("[corpus]\ntext = a.txt\n")}));
  expect_contains(complaint([] { pretrain({command_line("corpus.text=a.txt\n")}); }),
                  {"pretrain", "corpus.text", "tenfold pretrain --help"});
}

TEST(Parse, OptionsOfACallStandOnTheCommandLineOnly) {
  const auto inspect = [](const std::vector<std::string>& arguments) {
    return parse_configuration("inspect", gather_sources(arguments)).call;
  };
  EXPECT_FALSE(inspect({}).json);
  EXPECT_TRUE(inspect({"--json"}).json);
  EXPECT_FALSE(inspect({"--json=false"}).json);
  EXPECT_EQ(inspect({"--notes=a,,b c"}).notes, (std::vector<std::string>{"a", "b c"}));
  for (const char* in_file : {"json = true\n", "notes = word\n"})
    expect_contains(complaint([&] { pretrain({file(in_file)}); }), {"run.ini", "command line only: --"});
  expect_contains(complaint([&] { inspect({"--json=yes"}); }), {"json = yes", "true or false"});
  expect_contains(complaint([&] { inspect({"--notes="}); }), {"notes = ", "word,..."});
  expect_contains(complaint([&] { inspect({"--notes"}); }), {"--notes", "--section.key=value"});
  expect_contains(complaint([&] { inspect({"--jsno"}); }), {"unknown key jsno", "did you mean json?"});
  expect_contains(complaint([&] { inspect({"--json", "--json"}); }), {"json is given twice"});
  expect_contains(complaint([&] { inspect({"--model.layers=2"}); }), {"inspect does not read model.layers"});
  expect_contains(complaint([&] { pretrain(gather_sources({"--json"})); }), {"pretrain does not read json"});
}

TEST(Parse, MissingKeysAreNamed) {
  expect_contains(complaint([] { parse_configuration("pretrain", {}); }), {"run.folder"});
  expect_contains(complaint([] { parse_configuration("pretrain", {command_line("run.folder=f\n")}); }),
                  {"data.corpus"});
  expect_contains(complaint([] { pretrain({command_line("run.folder=\n")}); }), {"run.folder"});
  expect_contains(complaint([] { parse_configuration("prepare", {command_line("corpus.file=f\n")}); }),
                  {"corpus.text"});
  EXPECT_NO_THROW(parse_configuration("bench", {}));
  EXPECT_NO_THROW(parse_configuration("plan", {}));
}

TEST(Parse, UnknownCommandNamesTheNearest) {
  expect_contains(complaint([] { parse_configuration("pretrian", {}); }), {"pretrian", "did you mean pretrain"});
}

}  // namespace
}  // namespace tenfold

// The program as its user meets it: exit codes, one-line errors, and what the commands print.
#include "tools/command_line.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>

#include "ir/passes/passes.h"
#include "tests/testing.h"

namespace grimace {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

struct Ran {
  int code = 0;
  std::string out = {}, err = {};
};

Ran run(std::vector<std::string> words) {
  words.insert(words.begin(), "grimace");
  std::vector<const char*> argv;
  for (const std::string& word : words) argv.push_back(word.c_str());
  ::testing::internal::CaptureStdout();
  ::testing::internal::CaptureStderr();
  Ran ran;
  ran.code = run_command_line(static_cast<int>(argv.size()), argv.data());
  ran.out = ::testing::internal::GetCapturedStdout();
  ran.err = ::testing::internal::GetCapturedStderr();
  return ran;
}

// Wrong usage: code 2, nothing on stdout, and one line of error, which is returned.
std::string wrong(const std::vector<std::string>& words) {
  const Ran ran = run(words);
  EXPECT_EQ(ran.code, 2) << ran.err;
  EXPECT_EQ(ran.out, "");
  EXPECT_THAT(ran.err, StartsWith("grimace: error: "));
  EXPECT_EQ(std::ranges::count(ran.err, '\n'), 1) << ran.err;
  return ran.err;
}

TEST(CommandLine, ShowsItsVersionAndHelp) {
  EXPECT_EQ(run({"--version"}).code, 0);
  EXPECT_THAT(run({"--version"}).out, StartsWith("grimace "));
  const Ran help = run({"--help"});
  EXPECT_EQ(help.code, 0);
  for (const char* command : {"pretrain", "reconstruct", "verify", "graph", "synth", "data",
                              "doctor", "bench", "convert"})
    EXPECT_THAT(help.out, HasSubstr(std::string("\n  ") + command));
  EXPECT_EQ(run({}).code, 2);
  const Ran stats = run({"graph", "stats", "--help"});
  EXPECT_EQ(stats.code, 0);
  EXPECT_THAT(stats.out, HasSubstr("--batch-size N"));
}

TEST(CommandLine, SuggestsTheCommandOrOptionThatWasMeant) {
  EXPECT_THAT(wrong({"grahp"}), HasSubstr("unknown command \"grahp\"; did you mean \"graph\"?"));
  EXPECT_THAT(wrong({"graph", "stat"}), HasSubstr("\"graph stat\"; did you mean \"stats\"?"));
  EXPECT_THAT(wrong({"frobnicate"}), HasSubstr("see grimace --help"));
  EXPECT_THAT(wrong({"graph", "stats", "--modle", "x"}), HasSubstr("did you mean \"--model\"?"));
}

TEST(CommandLine, WrongUsageIsOneLineAndCodeTwo) {
  EXPECT_THAT(wrong({"graph"}), HasSubstr("see grimace graph --help"));
  EXPECT_THAT(wrong({"graph", "print", "more"}), HasSubstr("unexpected argument \"more\""));
  EXPECT_THAT(wrong({"synth"}), HasSubstr("--out"));
  EXPECT_THAT(wrong({"graph", "stats", "--batch-size", "0"}), HasSubstr("not in range"));
  EXPECT_THAT(wrong({"graph", "stats", "--set", "model.depth=1"}),
              HasSubstr("model.encoder_depth"));
  EXPECT_THAT(wrong({"graph", "stats", "--set", "model.region=3,3,3"}), HasSubstr("must tile"));
  EXPECT_THAT(wrong({"graph", "print", "--after", "x"}), HasSubstr("no such pass"));
  EXPECT_THAT(wrong({"graph", "stats", "--model", "a\nb"}), HasSubstr("\"a?b\""));
  EXPECT_THAT(wrong({"data", "check", "/nowhere/list.csv"}), HasSubstr("/nowhere/list.csv"));
  for (const char* fps : {"nan", "inf", "0"})
    EXPECT_THAT(wrong({"predict", "x.mp4", "--model", "/nowhere", "--fps", fps}),
                HasSubstr("--fps"));
}

TEST(CommandLine, TooManyOrTooFewValuesAreNamedInOneLine) {
  EXPECT_EQ(wrong({"pretrain", "--config", "a", "--config", "b"}),
            "grimace: error: --config is given 2 times; give it once (see grimace pretrain "
            "--help)\n");
  EXPECT_THAT(wrong({"pretrain", "--opt_betas", "1", "2", "--opt_betas", "1", "2"}),
              HasSubstr("--opt-betas takes at most 2 values; got 4 (see"));
  EXPECT_THAT(wrong({"synth", "--out", "a", "--out", "b", "--out", "c"}),
              HasSubstr("--out is given 3 times; give it once (see grimace synth --help)"));
  EXPECT_THAT(wrong({"pretrain", "--config"}), HasSubstr("--config needs a value (see"));
  EXPECT_THAT(wrong({"pretrain", "--seed", "1", "--seed"}), HasSubstr("--seed needs a value"));
}

TEST(GraphCommand, PrintsTheGraphBeforeAndAfterAPass) {
  const std::vector<std::string> words{"graph", "print", "--batch-size", "1"};
  const Ran before = run(words);
  EXPECT_EQ(before.code, 0);
  EXPECT_THAT(before.out, HasSubstr("gather_rows %add_0, %mask_indices_0 : f32[1x80x512]"));
  auto after_words = words;
  after_words.insert(after_words.end(), {"--after", "hoist_gather"});
  EXPECT_THAT(run(after_words).out,
              HasSubstr("gather_rows %reshape_2, %mask_indices_0 : f32[1x80x1536]"));
}

TEST(GraphCommand, ATrainingStepUpdatesItsParameters) {
  const Ran ran = run({"graph", "print", "--train", "--batch-size", "1"});
  EXPECT_THAT(ran.out, AllOf(HasSubstr("\n  update @mask_token = "), HasSubstr("adamw")));
}

TEST(GraphCommand, SavesAGraphThatLoadsToTheSameText) {
  const testing::ScratchDir scratch;
  const std::string file = scratch / "g.graph";
  const Ran saved = run({"graph", "save", file, "--model", "videomae-classifier", "--json"});
  EXPECT_EQ(saved.code, 0);
  EXPECT_EQ(nlohmann::json::parse(saved.out)["parameters"], 86'232'583);
  const Ran loaded = run({"graph", "load", file});
  EXPECT_EQ(loaded.code, 0);
  EXPECT_THAT(loaded.out, AllOf(HasSubstr("verified"), HasSubstr("86,232,583 parameters")));
  const Ran printed = run({"graph", "print", "--model", "videomae-classifier"});
  EXPECT_EQ(run({"graph", "load", file, "--print"}).out, printed.out);
  EXPECT_THAT(run({"graph", "load", file, "--dot"}).out, StartsWith("digraph"));
  std::filesystem::resize_file(file, 1000);
  EXPECT_THAT(wrong({"graph", "load", file}), HasSubstr(file));
  EXPECT_THAT(wrong({"graph", "stats", "--model", file}), HasSubstr(file));
}

TEST(GraphCommand, ListsThePassesAndPrintsOnlyWhatChanged) {
  const Ran ran = run({"graph", "passes", "--batch-size", "1", "--json", "--print"});
  const auto passes = nlohmann::json::parse(ran.out);
  ASSERT_EQ(passes.size(), forward_passes().size() + training_passes().size());
  for (const auto& pass : passes)
    EXPECT_EQ(pass.contains("ir"), pass["fired"].get<int>() > 0) << pass["pass"];
  EXPECT_EQ(passes[3]["pass"], "hoist_gather");
  EXPECT_GT(passes[3]["fired"], 0);
  EXPECT_EQ(passes[3]["macs"], 13'460'701'184);
}

TEST(SynthAndDataCommands, RenderAListAndFindTheClipThatWasDamaged) {
  const testing::ScratchDir scratch;
  const std::string out = scratch / "clips";
  const Ran made = run({"synth", "--out", out, "--clips", "3", "--persons", "2", "--size", "64",
                        "--first-person", "5"});
  ASSERT_EQ(made.code, 0) << made.err;
  EXPECT_THAT(made.out, HasSubstr("3 clips of 2 people"));
  const std::string list = out + "/clips.csv";
  const Ran good = run({"data", "check", list});
  EXPECT_EQ(good.code, 0) << good.out;
  EXPECT_THAT(good.out, HasSubstr("3 clips, 0 unreadable"));

  std::ifstream lines(list);
  std::string line;
  std::getline(lines, line);
  std::getline(lines, line);
  const std::string clip = line.substr(0, line.find(','));
  EXPECT_THAT(clip, HasSubstr("person_5"));
  std::filesystem::resize_file(out + "/" + clip, 100);
  const Ran bad = run({"data", "check", list});
  EXPECT_EQ(bad.code, 2);
  EXPECT_THAT(bad.out, AllOf(HasSubstr(list + ":2: "), HasSubstr(clip), HasSubstr("1 unreadable")));
  const auto json = nlohmann::json::parse(run({"data", "check", list, "--json"}).out);
  EXPECT_EQ(json["clips"], 3);
  ASSERT_EQ(json["bad"].size(), 1u);
  EXPECT_EQ(json["bad"][0]["line"], 2);
}

TEST(DoctorCommand, TestsEveryBackendOfThisBuild) {
  const Ran ran = run({"doctor"});
  EXPECT_EQ(ran.code, 0) << ran.out;
  EXPECT_THAT(ran.out, AllOf(HasSubstr("reference f32"), HasSubstr(": ok"),
                             HasSubstr("This machine is ready.")));
}

}  // namespace
}  // namespace grimace

// grimace bench, on models that take a moment.
#include <gmock/gmock.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "tests/testing.h"
#include "tools/command_line.h"
#include "tools/machine.h"

namespace grimace {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;
using Words = std::vector<std::string>;

struct Ran {
  int code = 0;
  std::string out = {}, err = {};
};

Ran run(const Words& words) {
  std::vector<const char*> argv{"grimace", "bench"};
  for (const std::string& word : words) argv.push_back(word.c_str());
  ::testing::internal::CaptureStdout();
  ::testing::internal::CaptureStderr();
  Ran ran;
  ran.code = run_command_line(static_cast<int>(argv.size()), argv.data());
  ran.out = ::testing::internal::GetCapturedStdout();
  ran.err = ::testing::internal::GetCapturedStderr();
  return ran;
}

// The command on a small model and the reference backend, which every build has.
Words small(const std::string& command, const std::string& work, const Words& more = {}) {
  Words words{command, "--work",  work, "--backend", "reference", "--batch",
              "2",     "--steps", "3",  "--warmup",  "1"};
  for (const char* pair :
       {"model.image=32", "model.frames=4", "model.embed_dim=16", "model.heads=2",
        "model.encoder_depth=2", "model.decoder_dim=16", "model.decoder_heads=2",
        "model.decoder_depth=1", "model.region=2,1,2", "mask.window=2,1,2", "mask.ratio=0.5"})
    words.insert(words.end(), {"--set", pair});
  words.insert(words.end(), more.begin(), more.end());
  return words;
}

nlohmann::json json_of(const Words& words) {
  const Ran ran = run(words);
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_EQ(std::ranges::count(ran.out, '\n'), 1) << "one object on one line";
  return nlohmann::json::parse(ran.out);
}

TEST(BenchCommand, times_the_steps_of_every_kind_of_work) {
  for (const char* work : {"pretrain", "finetune", "inference"}) {
    const auto json = json_of(small("step", work, {"--json"}));
    EXPECT_EQ(json["work"], work);
    EXPECT_EQ(json["model"], "mae-dfer");
    EXPECT_EQ(json["precision"], "f32");
    EXPECT_EQ(json["batch"], 2);
    EXPECT_EQ(json["isa"], "none");
    EXPECT_GE(json["threads"], 1);
    ASSERT_EQ(json["seconds"].size(), 3u);
    auto seconds = json["seconds"].get<std::vector<double>>();
    std::ranges::sort(seconds);
    EXPECT_GT(seconds[0], 0.0);
    EXPECT_NEAR(json["clips_per_s"], 2.0 / seconds[1], 1e-6);
    EXPECT_NEAR(json["gflops"].get<double>() * seconds[1], json["gflop_per_step"], 1e-9);
    EXPECT_GT(json["gflop_per_step"], 0.0);
    EXPECT_GE(json["planned_mb"], json["lower_bound_mb"]);
    EXPECT_GT(json["lower_bound_mb"], 0.0);
    EXPECT_GT(json["peak_mb"], json["planned_mb"]);
    EXPECT_GT(json["build_seconds"], 0.0);
    EXPECT_TRUE(json["slow_nodes"].is_array());
    EXPECT_FALSE(json.contains("peak_gflops"));
  }
}

TEST(BenchCommand, a_training_step_computes_more_than_its_forward_pass) {
  const auto flop = [](const char* work) {
    return json_of(small("step", work, {"--json"}))["gflop_per_step"].get<double>();
  };
  EXPECT_GT(flop("finetune"), 2.5 * flop("inference"));
}

TEST(BenchCommand, knows_the_joint_encoder) {
  const auto json = json_of(small("step", "finetune", {"--model", "videomae", "--json"}));
  EXPECT_EQ(json["model"], "videomae");
  EXPECT_GT(json["clips_per_s"], 0.0);
}

TEST(BenchCommand, prints_the_same_for_people) {
  const Ran ran = run(small("step", "pretrain"));
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_THAT(ran.out, AllOf(StartsWith("mae-dfer pretrain, batch 2, reference"),
                             HasSubstr("median of 3"), HasSubstr("clips/s"), HasSubstr(" MB")));
}

TEST(BenchCommand, profiles_the_timed_steps) {
  const testing::ScratchDir scratch;
  const std::string file = scratch / "trace.json";
  const Ran ran = run(small("step", "pretrain", {"--profile", file}));
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_THAT(ran.out, AllOf(HasSubstr("half of 3 steps"), HasSubstr("grad/encoder/blocks/mlp"),
                             HasSubstr("(between nodes)"), HasSubstr(file)));
  std::ifstream in(file);
  const auto events = nlohmann::json::parse(in)["traceEvents"];
  EXPECT_EQ(std::ranges::count_if(events, [](const auto& e) { return e["name"] == "step 2"; }), 1);
  EXPECT_GT(events.size(), 300u);
  EXPECT_EQ(json_of(small("step", "pretrain", {"--profile", file, "--json"}))["batch"], 2);
}

TEST(BenchCommand, ops_are_rows_that_sum_to_the_step) {
  const auto json = json_of(small("op", "pretrain", {"--json"}));
  double ms = 0.0, share_of_linear = 0.0;
  for (const auto& row : json["rows"]) {
    ms += row["ms"].get<double>();
    if (row["op"] == "linear") share_of_linear += row["ms"].get<double>();
  }
  EXPECT_NEAR(ms, json["step_ms"], 1e-6 * json["step_ms"].get<double>());
  EXPECT_GT(share_of_linear, 0.0);
  const Ran text = run(small("op", "inference", {"--rows", "2"}));
  EXPECT_THAT(text.out, AllOf(HasSubstr("more rows)"), HasSubstr(" -> f32["), HasSubstr("total")));
}

TEST(BenchCommand, wrong_usage_is_one_line_and_code_two) {
  const auto wrong = [](const Words& words) {
    const Ran ran = run(words);
    EXPECT_EQ(ran.code, 2) << ran.err;
    EXPECT_EQ(ran.out, "");
    EXPECT_EQ(std::ranges::count(ran.err, '\n'), 1) << ran.err;
    return ran.err;
  };
  EXPECT_THAT(wrong({}), HasSubstr("see grimace bench --help"));
  EXPECT_THAT(wrong({"step", "--model", "resnet"}), HasSubstr("--model"));
  EXPECT_THAT(wrong({"step", "--work", "train"}), HasSubstr("--work"));
  EXPECT_THAT(wrong({"step", "--precision", "f64"}), HasSubstr("precision f64"));
  EXPECT_THAT(wrong({"step", "--batch", "0"}), HasSubstr("--batch"));
  EXPECT_THAT(wrong({"step", "--steps", "0"}), HasSubstr("--steps"));
  EXPECT_THAT(wrong({"op", "--rows", "0"}), HasSubstr("--rows"));
  EXPECT_THAT(wrong({"step", "--backend", "gpu"}), HasSubstr("unknown backend 'gpu'"));
  EXPECT_THAT(wrong({"step", "--set", "model.region=3,3,3"}), HasSubstr("must tile"));
  EXPECT_THAT(wrong(small("step", "pretrain", {"--profile", "/dev/null/trace.json"})),
              HasSubstr("/dev/null"));
  EXPECT_THAT(wrong(small("step", "pretrain", {"--precision", "bf16"})), HasSubstr("bf16"));
  EXPECT_THAT(wrong(small("step", "pretrain", {"--measure-peak"})), HasSubstr("--measure-peak"));
}

TEST(Machine, the_peak_of_memory_rises_with_what_is_touched) {
  const int64_t before = peak_resident_bytes();
  EXPECT_GT(before, 1 << 20);
  constexpr size_t kBytes = size_t{64} << 20;
  std::vector<char> memory(kBytes, 1);
  EXPECT_EQ(std::ranges::count(memory, 1), static_cast<std::ptrdiff_t>(kBytes));
  const int64_t current = peak_resident_bytes();
  EXPECT_GE(current, static_cast<int64_t>(kBytes));
  EXPECT_GE(current, before);
}

}  // namespace
}  // namespace grimace

// Training as a user sees it: what a run writes, and that the same numbers come out however it was
// interrupted, resumed, fed and computed.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <fstream>
#include <sstream>
#include <thread>

#include "tests/data/clips.h"
#include "tests/system/tiny_run.h"

namespace fs = std::filesystem;

namespace grimace::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// Also before the run writes, and while it does.
int64_t lines_written(const fs::path& run) {
  if (!fs::exists(run / "metrics.jsonl")) return 0;
  const std::string text = file_text(run / "metrics.jsonl");
  return std::count(text.begin(), text.end(), '\n');
}

class TrainingTest : public ::testing::Test {
 protected:
  ScratchDir scratch_;
};

class PrecisionTest : public TrainingTest, public ::testing::WithParamInterface<const char*> {};
INSTANTIATE_TEST_SUITE_P(, PrecisionTest, ::testing::Values("f32", "bf16"),
                         [](const auto& info) { return std::string(info.param); });

// Step 5 lies in the middle of the second epoch and of the schedule.
TEST_P(PrecisionTest, a_resumed_run_equals_an_uninterrupted_one_bit_for_bit) {
  const Words settings{"--precision", GetParam(), "--set", "run.save_every_steps=5"};
  const fs::path whole = scratch_ / "whole";
  const fs::path resumed = scratch_ / "resumed";
  pretrain_well(whole, settings);
  pretrain_well(resumed, settings);
  fs::remove(checkpoint(resumed, 10));
  fs::remove(checkpoint(resumed, 12));
  const Outcome outcome = pretrain_well(resumed, settings);
  EXPECT_THAT(outcome.err, HasSubstr("checkpoint-5.safetensors, step 5\n"));
  expect_same_tensors(checkpoint(whole, 12), checkpoint(resumed, 12));
  expect_same_losses(metrics(whole), metrics(resumed));
}

// Spec 6: a batch is that of videos, whatever the number of clips drawn from each.
TEST_F(TrainingTest, several_samples_of_a_video_make_no_other_epochs_and_rates) {
  const fs::path run = scratch_ / "run";
  const Outcome outcome = pretrain_well(run, {"--set", "data.num_samples=2"});
  EXPECT_THAT(outcome.err, HasSubstr("24 clips, 3 batches of 8 an epoch"));
  pretrain_well(scratch_ / "one", {});
  const auto rows = metrics(run), one = metrics(scratch_ / "one");
  ASSERT_EQ(rows.size(), one.size());
  for (size_t i = 0; i < rows.size(); ++i) {
    EXPECT_EQ(rows[i].at("lr"), one[i].at("lr"));
    EXPECT_NE(rows[i].at("loss"), one[i].at("loss"));
  }
}

// Spec 6: 3 steps of warm-up from exactly 0 to lr * 8 / 256; then a cosine over the other 9.
TEST_F(TrainingTest, the_rate_of_every_step_is_that_of_the_schedule) {
  pretrain_well(scratch_ / "run", {"--set", "optim.min_lr=0.016"});
  const auto rows = metrics(scratch_ / "run");
  ASSERT_EQ(rows.size(), 12u);
  const double peak = 0.001, least = 0.0005;
  EXPECT_EQ(rows[0].at("lr"), 0.0);
  EXPECT_DOUBLE_EQ(rows[1].at("lr").get<double>(), peak / 2);
  EXPECT_DOUBLE_EQ(rows[2].at("lr").get<double>(), peak);
  for (size_t k = 3; k < 12; ++k) {
    const double turn = std::numbers::pi * static_cast<double>(k - 3) / 9;
    EXPECT_DOUBLE_EQ(rows[k].at("lr").get<double>(),
                     least + 0.5 * (peak - least) * (1 + std::cos(turn)));
  }
}

TEST_F(TrainingTest, a_run_continues_from_a_checkpoint_of_another_folder) {
  const fs::path whole = scratch_ / "whole";
  const fs::path resumed = scratch_ / "resumed";
  pretrain_well(whole, {"--set", "run.save_every_steps=5"});
  pretrain_well(resumed, {"--resume", checkpoint(whole, 5)});
  expect_same_tensors(checkpoint(whole, 12), checkpoint(resumed, 12));
  EXPECT_EQ(metrics(resumed).front().at("step"), 5);
}

TEST_F(TrainingTest, ctrl_c_saves_and_the_same_command_goes_on) {
  const Words settings{"--steps", "80"};
  const fs::path whole = scratch_ / "whole";
  const fs::path run = scratch_ / "run";
  pretrain_well(whole, settings);
  Program program(pretrain(run, settings));
  while (program.running() && lines_written(run) < 4)
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  program.send(SIGINT);
  const Outcome outcome = program.wait();
  EXPECT_EQ(outcome.exit_code, 130);
  const size_t done = metrics(run).size();
  EXPECT_LT(done, 80u);
  EXPECT_THAT(outcome.err, HasSubstr(cat("interrupted: saved at step ", done, ";")));
  EXPECT_THAT(names_in(run),
              ElementsAre(cat("checkpoint-", done, ".safetensors"), "metrics.jsonl"));
  pretrain_well(run, settings);
  expect_same_tensors(checkpoint(whole, 80), checkpoint(run, 80));
  expect_same_losses(metrics(whole), metrics(run));
}

TEST_F(TrainingTest, the_number_of_workers_changes_nothing) {
  for (const char* workers : {"0", "1", "3"})
    pretrain_well(scratch_ / workers, {"--workers", workers});
  for (const char* workers : {"1", "3"}) {
    expect_same_tensors(checkpoint(scratch_ / "0", 12), checkpoint(scratch_ / workers, 12));
    expect_same_losses(metrics(scratch_ / "0"), metrics(scratch_ / workers));
  }
}

TEST_F(TrainingTest, two_accumulated_batches_of_four_follow_one_of_eight) {
  pretrain_well(scratch_ / "eight");
  pretrain_well(scratch_ / "four", {"--batch-size", "4", "--set", "optim.accumulate=2"});
  const auto expected = metrics(scratch_ / "eight");
  const auto actual = metrics(scratch_ / "four");
  ASSERT_EQ(expected.size(), actual.size());
  for (size_t i = 0; i < expected.size(); ++i) {
    EXPECT_EQ(expected[i].at("lr"), actual[i].at("lr"));
    for (const char* key : {"loss", "grad_norm"})
      EXPECT_NEAR(expected[i].at(key), actual[i].at(key), 2e-5) << key << " of step " << i;
  }
}

TEST_F(TrainingTest, cpu_reference_and_bf16_agree_from_the_first_step_on) {
  pretrain_well(scratch_ / "cpu");
  pretrain_well(scratch_ / "reference", {"--backend", "reference"});
  pretrain_well(scratch_ / "bf16", {"--precision", "bf16"});
  const auto cpu = metrics(scratch_ / "cpu");
  for (const auto& [name, limit] : {std::pair("reference", 1e-5), std::pair("bf16", 2.5e-3)}) {
    const auto other = metrics(scratch_ / name);
    ASSERT_EQ(cpu.size(), other.size());
    for (size_t i = 0; i < cpu.size(); ++i)
      EXPECT_NEAR(cpu[i].at("loss"), other[i].at("loss"), limit) << name << " at step " << i;
  }
}

TEST_F(TrainingTest, a_longer_run_learns) {
  pretrain_well(scratch_ / "run", {"--steps", "150"});
  const auto lines = metrics(scratch_ / "run");
  EXPECT_LT(lines.back().at("loss").get<double>(), 0.95 * lines.front().at("loss").get<double>());
}

TEST_F(TrainingTest, metrics_have_one_object_per_step_with_exactly_these_keys) {
  pretrain_well(scratch_ / "run");
  std::ifstream in(scratch_ / "run" / "metrics.jsonl");
  int64_t step = 0;
  for (std::string line; std::getline(in, line); ++step) {
    const auto object = nlohmann::ordered_json::parse(line);
    std::vector<std::string> keys;
    for (const auto& [key, value] : object.items()) {
      keys.push_back(key);
      EXPECT_TRUE(value.is_number()) << line;
    }
    EXPECT_THAT(
        keys, ElementsAre("step", "epoch", "loss", "lr", "grad_norm", "clips_per_s", "data_wait"));
    EXPECT_EQ(object.at("step"), step);
    EXPECT_EQ(object.at("epoch"), step / 3);
  }
  EXPECT_EQ(step, 12);
}

TEST_F(TrainingTest, the_newest_checkpoints_are_kept_and_nothing_else_is_left) {
  pretrain_well(scratch_ / "run", {"--set", "run.save_every_steps=2", "--set", "run.keep_last=2"});
  EXPECT_THAT(
      names_in(scratch_ / "run"),
      ElementsAre("checkpoint-10.safetensors", "checkpoint-12.safetensors", "metrics.jsonl"));
}

TEST_F(TrainingTest, a_finished_run_says_that_there_is_nothing_to_do) {
  pretrain_well(scratch_ / "run");
  const Outcome again = pretrain_well(scratch_ / "run");
  EXPECT_THAT(again.err, HasSubstr("nothing to do: the run is at step 12 of 12"));
  EXPECT_EQ(metrics(scratch_ / "run").size(), 12u);
}

TEST_F(TrainingTest, resuming_a_finished_run_into_a_new_folder_makes_that_folder_complete) {
  pretrain_well(scratch_ / "run");
  const Outcome outcome = pretrain_well(scratch_ / "copy", {"--resume", scratch_ / "run"});
  EXPECT_THAT(outcome.err, HasSubstr("nothing to do: the run is at step 12 of 12"));
  EXPECT_THAT(names_in(scratch_ / "copy"), ElementsAre("checkpoint-12.safetensors"));
  expect_same_tensors(checkpoint(scratch_ / "run", 12), checkpoint(scratch_ / "copy", 12));
}

TEST_F(TrainingTest, a_resumed_run_names_every_setting_that_makes_it_another) {
  pretrain_well(scratch_ / "run");
  const Outcome outcome =
      pretrain_well(scratch_ / "run", {"--steps", "14", "--seed", "5", "--lr", "0.01",
                                       "--batch-size", "4", "--workers", "0", "--threads", "2",
                                       "--progress", "json", "--set", "run.keep_last=9"});
  std::vector<std::string> warnings;
  std::istringstream lines(outcome.err);
  for (std::string line; std::getline(lines, line);)
    if (line.find("warning: ") != line.npos) warnings.push_back(line.substr(line.find("resuming")));
  EXPECT_THAT(warnings,
              ElementsAre("resuming with optim.lr = 0.01; the checkpoint was made with 0.032",
                          "resuming with optim.batch_size = 4; the checkpoint was made with 8",
                          "resuming with optim.steps = 14; the checkpoint was made with 12",
                          "resuming with run.seed = 5; the checkpoint was made with 0"));
}

TEST_F(TrainingTest, a_checkpoint_of_another_architecture_is_refused_without_warnings) {
  pretrain_well(scratch_ / "run");
  const Outcome outcome =
      run_grimace(pretrain(scratch_ / "run", {"--seed", "5", "--set", "model.heads=4"}));
  expect_refused(outcome, "it has model.heads = 2 and this run 4; it is a checkpoint of another");
  EXPECT_THAT(outcome.err, ::testing::Not(HasSubstr("warning")));
}

TEST_F(TrainingTest, a_new_run_does_not_overwrite_an_earlier_one) {
  pretrain_well(scratch_ / "run");
  expect_refused(run_grimace(pretrain(scratch_ / "run", {"--resume", "none"})),
                 (scratch_ / "run").string() + " holds checkpoints of an earlier run");
}

TEST_F(TrainingTest, a_dry_run_says_what_a_run_needs_and_writes_nothing) {
  const Outcome outcome = pretrain_well(scratch_ / "run", {"--dry-run", "3"});
  EXPECT_THAT(outcome.out, ::testing::ContainsRegex("dry run: 3 steps, [0-9.]+ s per step"));
  EXPECT_THAT(outcome.out, ::testing::ContainsRegex("a whole run: 12 steps, about [0-9]+"));
  EXPECT_THAT(outcome.out, ::testing::ContainsRegex("memory: [1-9][0-9]* MiB"));
  EXPECT_THAT(outcome.out, ::testing::ContainsRegex("disk: [1-9][0-9]* MiB for each checkpoint"));
  EXPECT_FALSE(fs::exists(scratch_ / "run"));
}

TEST_F(TrainingTest, log_dir_takes_the_metrics) {
  pretrain_well(scratch_ / "run", {"--log-dir", scratch_ / "logs"});
  EXPECT_EQ(metrics(scratch_ / "logs").size(), 12u);
  EXPECT_THAT(names_in(scratch_ / "run"), ElementsAre("checkpoint-12.safetensors"));
}

// The published pre-training script's command line, with the sizes of a tiny model; once with
// underscores, once with dashes.
constexpr const char* kPublished =
    "--mask_type part_window --mask_ratio 0.75 --part_win_size (2,2,4) --part_apply_symmetry "
    "--model pretrain_videomae_base_dim512_no_depth_patch16_160 --encoder_depth 1 "
    "--decoder_depth 1 --batch_size 4 --num_samples 1 --num_frames 4 --sampling_rate 2 "
    "--input_size 32 --opt adamw --opt_eps 1e-8 --opt_betas 0.9 0.95 --clip_grad 5 "
    "--weight_decay 0.05 --weight_decay_end 0.1 --lr 3e-4 --min_lr 1e-5 --warmup_epochs 0 "
    "--warmup_steps 1 --drop_path 0.1 --save_ckpt_freq 10 --epochs 2 --attn_type local_global "
    "--lg_region_size 2 2 4 --lg_first_attn_type self --lg_third_attn_type cross "
    "--lg_attn_param_sharing_first_third --lg_no_second --use_frame_diff_as_target "
    "--frame_diff_group_size 2 --target_diff_weight 0.3 --normlize_target True --num_workers 1 "
    "--seed 3 --no_augmentation --auto_resume";

TEST_F(TrainingTest, the_authors_command_line_is_accepted) {
  for (const std::string separator : {"_", "-"}) {
    const fs::path log = scratch_ / (separator + "log");
    Words words = words_of(kPublished) + Words{"--data_path",        faces_list(), "--output_dir",
                                               scratch_ / separator, "--log_dir",  log};
    for (std::string& word : words)
      if (word.starts_with("--")) std::replace(word.begin() + 2, word.end(), '_', separator[0]);
    const Outcome outcome =
        run_grimace(Words{"pretrain"} + words +
                    words_of("--set model.patch=8 --set model.embed_dim=32 --set model.heads=2 "
                             "--set model.decoder_dim=16 --set model.decoder_heads=2 --steps 2 "
                             "--threads 1"));
    ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
    EXPECT_EQ(metrics(log).size(), 2u);
  }
  expect_same_tensors(checkpoint(scratch_ / "_", 2), checkpoint(scratch_ / "-", 2));
}

}  // namespace
}  // namespace grimace::testing

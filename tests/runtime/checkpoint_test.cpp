// Checkpoints: what is saved comes back, the last ones are kept, damage is passed over, and a
// process killed at any moment of saving leaves a run that resumes.
#include "runtime/checkpoint.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <fstream>
#include <thread>

#include "ir/philox.h"
#include "tests/testing.h"

namespace grimace {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

Tensor filled(const Shape& shape, float value) {
  Tensor tensor(DType::f32, shape);
  for (float& element : tensor.as<float>()) element = value;
  return tensor;
}

// A checkpoint whose every value is its step.
fs::path save(const fs::path& dir, int64_t step, int64_t keep_last, int64_t rows = 4) {
  const Tensor weight = filled({rows, 64}, static_cast<float>(step));
  const std::vector<NamedView> tensors{
      {"encoder.norm.weight", weight.view()},
      {optimizer_tensor("exp_avg", "encoder.norm.weight"), weight.view()},
      {state_tensor("step"), weight.view()}};
  return save_checkpoint(dir, {.step = step, .epoch = step / 10, .config = "lr = 1\n"}, tensors,
                         keep_last);
}

std::vector<int64_t> steps_in(const fs::path& dir) {
  std::vector<int64_t> steps;
  for (const CheckpointFile& file : list_checkpoints(dir)) steps.push_back(file.step);
  return steps;
}

void flip_byte(const fs::path& path, int64_t from_end) {
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.seekg(-from_end, std::ios::end);
  const char old = static_cast<char>(file.get());
  file.seekp(-from_end, std::ios::end);
  file.put(static_cast<char>(old ^ 16));
}

const auto no_warning = [](const std::string& text) { ADD_FAILURE() << text; };

TEST(Checkpoint, comes_back_as_it_was_saved) {
  const testing::ScratchDir dir;
  const Tensor weight = filled({2, 3}, 1.25f);
  const std::vector<NamedView> tensors{{"head.weight", weight.view()},
                                       {optimizer_tensor("exp_avg", "head.weight"), weight.view()},
                                       {state_tensor("step"), weight.view()}};
  const fs::path path = save_checkpoint(
      dir.path(),
      {.step = 120, .epoch = 3, .config = "a = \"ü\"\n", .extra = {{"model", "mae-dfer-pretrain"}}},
      tensors, 2);
  EXPECT_EQ(path.filename(), "checkpoint-120.safetensors");
  const Checkpoint loaded = load_checkpoint(path);
  EXPECT_EQ(loaded.info.step, 120);
  EXPECT_EQ(loaded.info.epoch, 3);
  EXPECT_EQ(loaded.info.config, "a = \"ü\"\n");
  EXPECT_THAT(loaded.info.extra, ElementsAre(::testing::Pair("model", "mae-dfer-pretrain")));
  EXPECT_THAT(loaded.model_names(), ElementsAre("head.weight"));
  EXPECT_EQ(loaded.file.tensor("optimizer.exp_avg.head.weight").as<float>()[5], 1.25f);
  EXPECT_TRUE(loaded.file.contains("state.step"));
}

TEST(Checkpoint, the_last_ones_are_kept_in_numeric_order) {
  const testing::ScratchDir dir;
  for (const int64_t step : {8, 9, 10, 11, 100}) save(dir.path(), step, 3);
  EXPECT_THAT(steps_in(dir.path()), ElementsAre(10, 11, 100));
  save(dir.path(), 101, 0);
  EXPECT_THAT(steps_in(dir.path()), ElementsAre(10, 11, 100, 101));
  save(dir.path(), 102, 1);
  EXPECT_THAT(steps_in(dir.path()), ElementsAre(102));
}

TEST(Checkpoint, only_own_files_are_deleted) {
  const testing::ScratchDir dir;
  const std::vector<std::string> foreign{"checkpoint-1.safetensors",  "checkpoint-2.pth",
                                         "checkpoint-03.safetensors", "checkpoint-x.safetensors",
                                         "checkpoint-.safetensors",   "checkpoint--1.safetensors",
                                         "notes.txt.partial",         "metrics.jsonl"};
  for (const std::string& name : foreign) std::ofstream(dir / name) << "mine";
  save_safetensors(dir / "checkpoint-4.safetensors", {}, {{"kind", "pretrain"}});
  fs::create_directory(dir / "checkpoint-5.safetensors");
  for (int64_t step = 10; step < 15; ++step) save(dir.path(), step, 1);
  EXPECT_EQ(remove_interrupted_writes(dir.path()), 0);
  for (const std::string& name : foreign) EXPECT_TRUE(fs::exists(dir / name)) << name;
  EXPECT_TRUE(fs::exists(dir / "checkpoint-4.safetensors"));
  EXPECT_TRUE(fs::exists(dir / "checkpoint-5.safetensors"));
  EXPECT_THAT(steps_in(dir.path()), ElementsAre(1, 4, 14));
}

TEST(Checkpoint, a_step_saved_after_going_back_is_never_the_one_deleted) {
  const testing::ScratchDir dir;
  save(dir.path(), 100, 1);
  save(dir.path(), 60, 1);  // the run was resumed from an earlier one
  EXPECT_THAT(steps_in(dir.path()), ElementsAre(60, 100));
}

TEST(Checkpoint, leftovers_of_interrupted_writes_are_removed) {
  const testing::ScratchDir dir;
  for (const char* name :
       {"checkpoint-7.safetensors.partial", "checkpoint-best.safetensors.partial"})
    std::ofstream(dir / name) << "half";
  save(dir.path(), 6, 1);
  EXPECT_EQ(remove_interrupted_writes(dir.path()), 2);
  EXPECT_FALSE(fs::exists(dir / "checkpoint-7.safetensors.partial"));
  EXPECT_FALSE(fs::exists(dir / "checkpoint-best.safetensors.partial"));
  EXPECT_EQ(remove_interrupted_writes(dir / "absent"), 0);
}

TEST(Checkpoint, the_latest_intact_one_is_loaded_and_damage_is_told) {
  const testing::ScratchDir dir;
  for (int64_t step = 1; step <= 4; ++step) save(dir.path(), step, 0);
  flip_byte(dir / "checkpoint-4.safetensors", 100);
  fs::resize_file(dir / "checkpoint-3.safetensors", 500);
  std::vector<std::string> warnings;
  const auto latest = load_latest_checkpoint(
      dir.path(), [&](const std::string& text) { warnings.push_back(text); });
  ASSERT_TRUE(latest);
  EXPECT_EQ(latest->info.step, 2);
  EXPECT_THAT(warnings, ElementsAre(::testing::AllOf(HasSubstr("checkpoint-4.safetensors"),
                                                     HasSubstr("does not match its checksum")),
                                    ::testing::AllOf(HasSubstr("checkpoint-3.safetensors"),
                                                     HasSubstr("truncated"))));
}

TEST(Checkpoint, without_any_there_is_nothing_and_with_damaged_ones_alone_an_error) {
  const testing::ScratchDir dir;
  EXPECT_FALSE(load_latest_checkpoint(dir.path(), no_warning));
  EXPECT_FALSE(load_latest_checkpoint(dir / "absent", no_warning));
  flip_byte(save(dir.path(), 1, 0), 9);
  int warnings = 0;
  EXPECT_THROW(load_latest_checkpoint(dir.path(), [&](const std::string&) { ++warnings; }), Error);
  EXPECT_EQ(warnings, 1);
}

TEST(Checkpoint, other_files_and_newer_versions_are_refused) {
  const testing::ScratchDir dir;
  const auto error_of = [&](const Metadata& metadata) -> std::string {
    save_safetensors(dir / "f.safetensors", {}, metadata);
    return testing::error_of([&] { load_checkpoint(dir / "f.safetensors"); });
  };
  EXPECT_THAT(error_of({{"kind", "pretrain"}}), HasSubstr("is not a checkpoint"));
  Metadata good{{"format", "grimace-checkpoint"},
                {"format_version", "1"},
                {"step", "5"},
                {"epoch", "0"},
                {"config", ""}};
  EXPECT_EQ(error_of(good), "no error");
  for (const std::string bad : {"-1", "5x", "", " 5", "99999999999999999999"}) {
    Metadata metadata = good;
    metadata["step"] = bad;
    EXPECT_THAT(error_of(metadata), HasSubstr("step must be a whole number")) << bad;
  }
  good["format_version"] = "2";
  EXPECT_THAT(error_of(good), HasSubstr("version 2, this program reads 1"));
}

TEST(Checkpoint, killed_at_any_moment_of_saving_a_run_resumes) {
  constexpr int kKills = 50;
  constexpr int64_t kRows = 4096;  // 3 tensors of 1 MiB: most of the time goes into writing
  const testing::ScratchDir dir;
  const auto start = std::chrono::steady_clock::now();
  save(dir.path(), 1, 2, kRows);
  const auto one_save = std::chrono::duration_cast<std::chrono::microseconds>(
      std::chrono::steady_clock::now() - start);
  PhiloxStream random(1, stream_id("kill"));
  int64_t last_step = 1;
  int interrupted = 0;
  for (int kill_index = 0; kill_index < kKills; ++kill_index) {
    const pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      try {
        for (int64_t step = last_step + 1;; ++step) save(dir.path(), step, 2, kRows);
      } catch (...) {
        _exit(1);
      }
    }
    std::this_thread::sleep_for(one_save * random.uniform(0.0, 3.0));
    ASSERT_EQ(kill(child, SIGKILL), 0);
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status)) << "saving failed before the kill";

    interrupted += static_cast<int>(remove_interrupted_writes(dir.path()));
    const auto latest = load_latest_checkpoint(dir.path(), no_warning);
    ASSERT_TRUE(latest) << "the checkpoint of step " << last_step << " is gone";
    ASSERT_GE(latest->info.step, last_step);
    last_step = latest->info.step;
    for (const std::string& name : latest->file.names()) {
      const Tensor tensor = latest->file.tensor(name);
      for (const float value : tensor.as<float>())
        ASSERT_EQ(value, static_cast<float>(last_step)) << name;
    }
  }
  // Kills between a rename and the deletions leave older checkpoints; the next whole save clears
  // them.
  save(dir.path(), last_step + 1, 2, kRows);
  EXPECT_EQ(list_checkpoints(dir.path()).size(), 2u);
  EXPECT_GT(last_step, 1);
  RecordProperty("interrupted_writes", interrupted);
  EXPECT_GT(interrupted, kKills / 10) << "too few kills hit a write to prove anything";
}

}  // namespace
}  // namespace grimace

// A run that is killed again and again while it saves loses nothing.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <random>
#include <thread>

#include "runtime/checkpoint.h"
#include "tests/system/tiny_run.h"

namespace fs = std::filesystem;

namespace grimace::testing {
namespace {

constexpr int kKills = 50;
constexpr int kSteps = 250;  // more than so many kills leave time for

int64_t newest(const fs::path& run) {
  const auto files = list_checkpoints(run);
  return files.empty() ? 0 : files.back().step;
}

bool is_saving(const fs::path& run) {
  const auto names = names_in(run);
  return std::any_of(names.begin(), names.end(),
                     [](const std::string& name) { return name.ends_with(".partial"); });
}

template <typename Condition>
void wait_until(Program& program, Condition condition) {
  while (program.running() && !condition())
    std::this_thread::sleep_for(std::chrono::microseconds(100));
}

TEST(Kill, at_random_moments_fifty_times_while_saving_changes_nothing) {
  const ScratchDir scratch;
  // Wide enough that saving takes as long as computing.
  const Words model{"--steps", std::to_string(kSteps), "--set", "model.embed_dim=96"};
  const Words settings = model + Words{"--set", "run.save_every_steps=1"};
  const fs::path run = scratch / "run";
  std::minstd_rand random(std::random_device{}());
  int during_a_save = 0;
  for (int kill = 0; kill < kKills; ++kill) {
    const int64_t before = newest(run);
    Program program(pretrain(run, settings));
    // Some moment after the first save; every other time, some moment after a save began.
    wait_until(program, [&] { return newest(run) > before; });
    if (kill % 2 == 0) wait_until(program, [&] { return is_saving(run); });
    std::this_thread::sleep_for(std::chrono::microseconds(random() % 20'000));
    program.send(SIGKILL);
    const Outcome outcome = program.wait();
    ASSERT_EQ(outcome.exit_code, 128 + SIGKILL) << "kill " << kill << ": " << outcome.err;
    during_a_save += is_saving(run) ? 1 : 0;
  }
  RecordProperty("kills_during_a_save", during_a_save);
  EXPECT_GT(during_a_save, 0) << "no kill hit a save, so nothing was tested";
  pretrain_well(run, settings);
  EXPECT_THAT(names_in(run), ::testing::Not(::testing::Contains(::testing::EndsWith(".partial"))));
  pretrain_well(scratch / "whole", model);
  expect_same_tensors(checkpoint(scratch / "whole", kSteps), checkpoint(run, kSteps));
  expect_same_losses(metrics(scratch / "whole"), metrics(run));
}

}  // namespace
}  // namespace grimace::testing

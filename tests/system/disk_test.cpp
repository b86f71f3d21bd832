// Disks that are full or read-only: refused before the first step, survived during a run.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <fstream>
#include <thread>

#include "runtime/checkpoint.h"
#include "tests/system/tiny_run.h"
#include "tests/system/tmpfs.h"

namespace fs = std::filesystem;

namespace grimace::testing {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

#define SKIP_WITHOUT(disk) \
  if (!(disk).mounted()) GTEST_SKIP() << "NOT CHECKED: this system lets users mount no tmpfs"

void fill(const fs::path& file) {
  std::ofstream out(file, std::ios::binary);
  const std::string block(4096, 'x');
  while (out.write(block.data(), 4096).flush()) {
  }
}

void wait_for(Program& program, const fs::path& file) {
  while (program.running() && !fs::exists(file))
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
}

TEST(FullDisk, is_refused_before_the_first_step) {
  const Tmpfs disk("size=200k");
  SKIP_WITHOUT(disk);
  const Outcome outcome = run_grimace(pretrain(disk.path() / "run"));
  expect_refused(outcome, "not enough disk space at " + (disk.path() / "run").string());
  EXPECT_THAT(names_in(disk.path() / "run"), IsEmpty());
}

TEST(FullDisk, without_room_for_a_single_block_is_refused) {
  const Tmpfs disk("size=64k");
  SKIP_WITHOUT(disk);
  fs::create_directory(disk.path() / "run");
  fill(disk.path() / "other");
  const Outcome outcome = run_grimace(pretrain(disk.path() / "run"));
  expect_refused(outcome, "No space left on device");
  EXPECT_THAT(names_in(disk.path() / "run"), IsEmpty());
}

TEST(FullDisk, during_a_run_ends_it_and_leaves_the_earlier_checkpoints_intact) {
  const Tmpfs disk("size=8M");
  SKIP_WITHOUT(disk);
  const fs::path run = disk.path() / "run";
  const Words settings{"--steps", "40", "--set", "run.save_every_steps=1"};
  Program program(pretrain(run, settings));
  wait_for(program, checkpoint(run, 3));
  fill(disk.path() / "other");
  const Outcome outcome = program.wait();
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_THAT(outcome.err, AllOf(HasSubstr("grimace: error: cannot write "),
                                 HasSubstr(": No space left on device; free some space")));
  EXPECT_THAT(names_in(run), Not(Contains(EndsWith(".partial"))));
  const auto left = list_checkpoints(run);
  ASSERT_FALSE(left.empty());
  for (const CheckpointFile& file : left) EXPECT_NO_THROW(load_checkpoint(file.path));
  // With room again, the same command goes on to the same result.
  fs::remove(disk.path() / "other");
  pretrain_well(run, settings);
  const ScratchDir scratch;
  pretrain_well(scratch / "whole", settings);
  expect_same_tensors(checkpoint(scratch / "whole", 40), checkpoint(run, 40));
}

// 3 checkpoints of 0.8 MB are there and one more is needed.
TEST(FullDisk, with_room_for_the_next_checkpoint_alone_lets_a_run_continue) {
  const Tmpfs disk("size=4M");
  SKIP_WITHOUT(disk);
  const fs::path run = disk.path() / "run";
  pretrain_well(run, {"--set", "run.save_every_steps=3"});
  ASSERT_TRUE(fs::remove(checkpoint(run, 12)));
  pretrain_well(run, {"--set", "run.save_every_steps=3"});
  EXPECT_NO_THROW(load_checkpoint(checkpoint(run, 12)));
}

TEST(ReadOnlyDisk, is_refused_before_the_first_step) {
  const Tmpfs disk("ro");
  SKIP_WITHOUT(disk);
  expect_refused(run_grimace(pretrain(disk.path())),
                 "the folder " + disk.path().string() + " cannot be written: cannot create ");
  expect_refused(run_grimace(pretrain(disk.path() / "run")),
                 "cannot make the folder " + (disk.path() / "run").string() +
                     ": Read-only file system; choose a folder that you may write to");
}

TEST(ReadOnlyDisk, is_refused_for_pictures_and_graphs) {
  const Tmpfs disk("ro");
  SKIP_WITHOUT(disk);
  const ScratchDir scratch;
  pretrain_well(scratch / "run", {"--steps", "4"});
  const fs::path clip = faces_list().parent_path() / "clip_00000_person_0_happy.mp4";
  const fs::path picture = disk.path() / "x.png";
  expect_refused(
      run_grimace({"reconstruct", "--model", scratch / "run", "--clip", clip, "--out", picture}),
      picture.string() + ": ");
  const fs::path graph = disk.path() / "x.graph";
  expect_refused(run_grimace({"graph", "save", graph, "--model", scratch / "run"}),
                 graph.string() + ": ");
}

}  // namespace
}  // namespace grimace::testing

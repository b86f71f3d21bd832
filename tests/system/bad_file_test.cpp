// Damaged or foreign model files: checkpoints, graphs, golden files. One line, exit code 2.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/data/clips.h"
#include "tests/system/tiny_run.h"

namespace fs = std::filesystem;

namespace grimace::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class BadFileTest : public ::testing::Test {
 protected:
  // A run of 12 steps with checkpoints at 4, 8 and 12.
  const fs::path& run() {
    static const ScratchDir scratch;
    static const fs::path run = [] {
      pretrain_well(scratch / "run", {"--set", "run.save_every_steps=4"});
      return scratch / "run";
    }();
    return run;
  }

  fs::path copy_of_run(const std::string& name) {
    fs::copy(run(), scratch_ / name);
    return scratch_ / name;
  }

  fs::path clip() const { return faces_list().parent_path() / "clip_00000_person_0_happy.mp4"; }

  // Every command that reads a checkpoint refuses this one, and none writes anything.
  void expect_checkpoint_refused(const fs::path& file, const std::string& message) {
    const fs::path out = scratch_ / "out";
    const fs::path picture = scratch_ / "picture.png";
    for (const Words& command :
         {pretrain(out, {"--resume", file}),
          Words{"reconstruct", "--model", file, "--clip", clip(), "--out", picture},
          Words{"graph", "stats", "--model", file}, Words{"verify", file}})
      expect_refused(run_grimace(command), file.string() + ": " + message);
    EXPECT_THAT(names_in(out), IsEmpty());
    EXPECT_FALSE(fs::exists(picture));
  }

  ScratchDir scratch_;
};

enum class Damage { truncated, header_bit, data_bit };

void damage(const fs::path& file, Damage kind) {
  std::string bytes = file_text(file);
  if (kind == Damage::truncated) bytes.resize(bytes.size() / 2);
  if (kind == Damage::header_bit) bytes[300] ^= 4;
  if (kind == Damage::data_bit) bytes[bytes.size() - 5000] ^= 4;
  write_bytes(file, bytes);
}

TEST_F(BadFileTest, a_damaged_newest_checkpoint_is_passed_over_and_named) {
  for (const Damage kind : {Damage::truncated, Damage::header_bit, Damage::data_bit}) {
    const fs::path damaged = copy_of_run("run" + std::to_string(static_cast<int>(kind)));
    damage(checkpoint(damaged, 12), kind);
    const Outcome outcome = pretrain_well(damaged);
    EXPECT_THAT(outcome.err, HasSubstr("warning: passing over a checkpoint that cannot be used: " +
                                       checkpoint(damaged, 12).string()));
    EXPECT_THAT(outcome.err, HasSubstr("checkpoint-8.safetensors, step 8\n"));
    expect_same_tensors(checkpoint(run(), 12), checkpoint(damaged, 12));
  }
}

TEST_F(BadFileTest, a_run_whose_checkpoints_are_all_damaged_is_refused) {
  const fs::path damaged = copy_of_run("run");
  for (const int64_t step : {4, 8, 12}) damage(checkpoint(damaged, step), Damage::truncated);
  const auto before = names_in(damaged);
  expect_refused(run_grimace(pretrain(damaged)),
                 "none of the 3 checkpoints in " + damaged.string() +
                     " can be used; move them "
                     "away to start anew, or restore one from a copy");
  EXPECT_EQ(names_in(damaged), before);
  EXPECT_EQ(metrics(damaged).size(), 12u) << "metrics.jsonl was cut";
}

TEST_F(BadFileTest, damaged_checkpoints_are_refused_by_every_command) {
  const fs::path file = scratch_ / "c.safetensors";
  for (const auto& [kind, message] :
       {std::pair(Damage::truncated, "tensor "), std::pair(Damage::header_bit, "the header does"),
        std::pair(Damage::data_bit, "")}) {
    fs::copy_file(checkpoint(run(), 12), file, fs::copy_options::overwrite_existing);
    damage(file, kind);
    expect_checkpoint_refused(file, message);
  }
}

TEST_F(BadFileTest, a_checkpoint_of_another_architecture_is_refused) {
  const fs::path out = scratch_ / "out";
  const std::string place = checkpoint(run(), 12).string() + ": ";
  const std::pair<const char*, const char*> changes[] = {
      {"model.embed_dim=48", "model.embed_dim = 32"},
      {"model.encoder_depth=1", "model.encoder_depth = 2"},
      {"model.no_second=true", "model.no_second = false"},
      // These change no tensor's name or shape.
      {"model.heads=4", "model.heads = 2"},
      {"model.third_attn_type=self", "model.third_attn_type"},
      {"model.decoder_visible_order=raster", "model.decoder_visible_order"}};
  for (const auto& [setting, message] : changes) {
    const Outcome outcome = run_grimace(pretrain(out, {"--resume", run(), "--set", setting}));
    expect_refused(outcome, place);
    EXPECT_THAT(outcome.err, HasSubstr(message));
    EXPECT_THAT(outcome.err, HasSubstr("another architecture"));
    EXPECT_THAT(names_in(out), IsEmpty());
  }
}

TEST_F(BadFileTest, a_resume_that_names_nothing_is_refused) {
  const fs::path gone = scratch_ / "gone";
  expect_refused(run_grimace(pretrain(scratch_ / "out", {"--resume", gone})),
                 "--resume " + gone.string() + ": no such file or folder");
  fs::create_directory(scratch_ / "empty");
  expect_refused(run_grimace(pretrain(scratch_ / "out", {"--resume", scratch_ / "empty"})),
                 "--resume " + (scratch_ / "empty").string() + ": the folder holds no checkpoint");
  EXPECT_THAT(names_in(scratch_ / "out"), IsEmpty());
}

TEST_F(BadFileTest, files_that_are_no_checkpoint_are_refused) {
  const fs::path file = scratch_ / "c.safetensors";
  write_bytes(file, std::string());
  expect_checkpoint_refused(file, "has 0 bytes");
  write_bytes(file, std::string(64, '\xff'));
  expect_checkpoint_refused(file, "claims a header of 18446744073709551615 bytes");
  // A shape whose size overflows 64 bits, in a file of a few bytes.
  const std::string header =
      R"({"w":{"dtype":"F32","shape":[4294967296,4294967296,4294967296],"data_offsets":[0,4]}})";
  write_bytes(file, std::string(1, static_cast<char>(header.size())) + std::string(7, '\0') +
                        header + std::string(4, 'x'));
  expect_checkpoint_refused(file, "tensor \"w\"");
}

TEST_F(BadFileTest, damaged_graph_files_are_refused) {
  const fs::path file = scratch_ / "model.graph";
  ASSERT_EQ(run_grimace({"graph", "save", file, "--model", run()}).exit_code, 0);
  ASSERT_EQ(run_grimace({"graph", "load", file}).exit_code, 0);
  const std::string bytes = file_text(file);
  const auto expect_graph_refused = [&](const std::string& damaged, const std::string& message) {
    write_bytes(file, damaged);
    expect_refused(run_grimace({"graph", "load", file}), file.string() + ": " + message);
    expect_refused(run_grimace({"graph", "stats", "--model", file}), file.string() + ": ");
  };
  for (const size_t size : {bytes.size() - 1, bytes.size() / 2, size_t{20}, size_t{0}})
    expect_graph_refused(bytes.substr(0, size), "");
  for (const size_t at : {size_t{9}, size_t{60}, bytes.size() / 2, bytes.size() - 1}) {
    std::string flipped = bytes;
    flipped[at] ^= 4;
    expect_graph_refused(flipped, "");
  }
}

TEST_F(BadFileTest, graphs_with_shapes_that_overflow_are_refused) {
  const fs::path file = scratch_ / "huge.txt";
  write_bytes(file, std::string("graph huge {\n  input %x : f32[4294967296x4294967296x4294967296]\n"
                                "  output %x\n}\n"));
  expect_refused(run_grimace({"graph", "stats", "--model", file}), file.string() + ": ");
}

TEST_F(BadFileTest, a_graph_is_no_checkpoint_and_no_golden_file) {
  const fs::path graph = scratch_ / "model.graph";
  ASSERT_EQ(run_grimace({"graph", "save", graph, "--model", run()}).exit_code, 0);
  expect_refused(
      run_grimace({"reconstruct", "--model", graph, "--clip", clip(), "--out", scratch_ / "x.png"}),
      "reconstruct needs trained weights: '" + graph.string() + "'");
  expect_refused(run_grimace({"verify", graph}), graph.string() + ": ");
  expect_refused(run_grimace({"verify", checkpoint(run(), 12)}),
                 checkpoint(run(), 12).string() +
                     ": has no metadata entry 'kind'; it is not a "
                     "golden file");
}

// Spec 8.2: frames of VoxCeleb2 are cut before anything else, and these are too small for that.
TEST_F(BadFileTest, reconstruct_cuts_the_frames_of_voxceleb2) {
  const fs::path folder = scratch_ / "VoxCeleb2";
  fs::create_directory(folder);
  fs::copy_file(clip(), folder / "a.mp4");
  const Outcome outcome = run_grimace(
      {"reconstruct", "--model", run(), "--clip", folder / "a.mp4", "--out", scratch_ / "x.png"});
  expect_refused(outcome, "a.mp4");
  EXPECT_THAT(outcome.err, HasSubstr("too small for the VoxCeleb2 face box"));
}

TEST_F(BadFileTest, reconstruct_names_a_clip_or_a_place_that_cannot_be_used) {
  const Words command{"reconstruct", "--model", run()};
  expect_refused(run_grimace(command + Words{"--clip", "gone.mp4", "--out", scratch_ / "x.png"}),
                 "gone.mp4: no such file or folder");
  const fs::path picture = scratch_ / "gone" / "x.png";
  expect_refused(run_grimace(command + Words{"--clip", clip(), "--out", picture}),
                 picture.string() + ": cannot write here");
  EXPECT_THAT(names_in(scratch_.path()), IsEmpty());
}

}  // namespace
}  // namespace grimace::testing

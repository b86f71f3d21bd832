// Settings that do not fit, flags and recipes that are wrong: one line, exit code 2, nothing made.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/data/clips.h"
#include "tests/system/tiny_run.h"

namespace fs = std::filesystem;

namespace grimace::testing {
namespace {

class BadSettingsTest : public ::testing::Test {
 protected:
  void expect_settings_refused(const Words& settings, const std::string& message) {
    const Outcome outcome = run_grimace(pretrain(scratch_ / "run", settings));
    expect_refused(outcome, message);
    EXPECT_FALSE(fs::exists(scratch_ / "run")) << message;
  }

  // `text` as the recipe; `message` follows "recipe.toml:".
  void expect_recipe_refused(const std::string& text, const std::string& message) {
    const fs::path recipe = scratch_ / "recipe.toml";
    write_bytes(recipe, text);
    const Outcome outcome = run_grimace(
        {"pretrain", "--config", recipe, "--data", faces_list(), "--out", scratch_ / "run"});
    expect_refused(outcome, recipe.string() + ":" + message);
    EXPECT_FALSE(fs::exists(scratch_ / "run"));
  }

  ScratchDir scratch_;
};

TEST_F(BadSettingsTest, sizes_that_do_not_tile_are_refused) {
  expect_settings_refused({"--input-size", "36"}, "model.patch = 8 must divide model.image = 36");
  expect_settings_refused({"--num-frames", "5"}, "model.tubelet = 2 must divide model.frames = 5");
  expect_settings_refused({"--lg-region-size", "2", "3", "4"},
                          "model.region = 2x3x4 must tile the token grid 2x4x4");
  expect_settings_refused({"--set", "mask.window=2,3,4"}, "mask window 2x3x4");
}

TEST_F(BadSettingsTest, masks_that_leave_nothing_visible_are_refused) {
  expect_settings_refused({"--mask-ratio", "1"}, "mask ratio 1 masks all 8 tokens of a window");
  expect_settings_refused({"--mask-ratio", "1.5"}, "mask.ratio: expected 0 to 1, got 1.5");
}

TEST_F(BadSettingsTest, masks_that_leave_regions_unequal_are_refused) {
  expect_settings_refused({"--part-win-size", "2", "4", "4"},
                          "leaves unequal numbers of visible tokens in regions of 2x2x4");
  expect_settings_refused({"--mask-type", "tube"},
                          "tube masks leave unequal numbers of visible tokens in the regions of a "
                          "local_global encoder; use the mask type part_window");
}

TEST_F(BadSettingsTest, sizes_that_no_machine_has_are_refused) {
  expect_settings_refused({"--set", "model.image=4096", "--set", "mask.window=2,512,512", "--set",
                           "model.region=2,512,512"},
                          "the image size must be in 8..2048; got 4096");
  expect_settings_refused({"--set", "model.embed_dim=16384", "--set", "model.encoder_depth=64"},
                          "of memory and this machine has ");
  expect_settings_refused({"--set", "model.embed_dim=99999999999999999999"}, "model.embed_dim");
  expect_settings_refused({"--batch-size", "9223372036854775807"}, "optim.batch_size");
  expect_settings_refused({"--steps", "9223372036854775807"}, "optim.steps");
}

TEST_F(BadSettingsTest, unknown_flags_and_keys_are_refused_with_the_nearest_known) {
  expect_settings_refused({"--mask-ration", "0.5"},
                          "unknown option \"--mask-ration\"; did you mean \"--mask-ratio\"?");
  expect_settings_refused({"stray"}, "unexpected argument \"stray\"");
  expect_settings_refused({"--set", "mask.ration=0.5"},
                          "--set: unknown key \"mask.ration\"; did you mean \"mask.ratio\"?");
  expect_settings_refused({"--set", "mask.ratio"}, "--set: expected key=value, got \"mask.ratio\"");
}

TEST_F(BadSettingsTest, values_of_the_wrong_type_or_range_are_refused) {
  expect_settings_refused({"--steps", "2.5"}, "--steps: optim.steps: expected an integer");
  expect_settings_refused({"--steps", "-3"}, "--steps: optim.steps: expected 0 to");
  expect_settings_refused({"--seed", "x"}, "--seed: run.seed: expected an integer, got \"x\"");
  expect_settings_refused({"--lr", "nan"}, "--lr: optim.lr: expected");
  expect_settings_refused({"--precision", "f16"},
                          "--precision: run.precision: expected f32 or bf16 or tf32");
  expect_settings_refused({"--backend", "abacus"},
                          "expected cpu or cuda or reference, got \"abacus\"");
  expect_settings_refused({"--backend", "reference", "--precision", "bf16"},
                          "run.precision = bf16");
  expect_settings_refused({"--max-bad", "2"}, "data.max_bad: expected 0 to 1, got 2");
  expect_settings_refused({"--dry-run", "0"}, "--dry-run");
}

TEST_F(BadSettingsTest, settings_that_do_not_fit_the_data_are_refused) {
  expect_settings_refused({"--batch-size", "25"},
                          "clips.csv: 24 clips are fewer than a batch of 25; lower the batch size");
  expect_settings_refused({"--set", "optim.accumulate=4"},
                          "an epoch has 3 batches, but one step takes 4");
  expect_settings_refused({"--model", "mae-dfer-classifier"}, "is a classifier; pretrain takes");
}

TEST_F(BadSettingsTest, what_is_left_out_is_named) {
  expect_refused(run_grimace({"pretrain", "--out", scratch_ / "run"}), "--data LIST");
  expect_refused(run_grimace({"pretrain", "--data", faces_list()}), "--out DIR");
  expect_refused(run_grimace({"pretrian"}), "did you mean \"pretrain\"?");
}

TEST_F(BadSettingsTest, recipes_are_refused_at_their_line) {
  expect_recipe_refused("[model]\nimage = 32\nimagee = 3\n",
                        "3: unknown key \"model.imagee\"; did you mean \"model.image\"?");
  expect_recipe_refused("[modle]\nimage = 32\n", "2: unknown key \"modle.image\"");
  expect_recipe_refused("[model]\nimage = \"x\"\n", "2: model.image: expected an integer, got");
  expect_recipe_refused("[model]\n\nimage = = 3\n", "3: not TOML: ");
  expect_recipe_refused("[mask]\nratio = 2\n", "2: mask.ratio: expected 0 to 1, got 2");
}

TEST_F(BadSettingsTest, a_missing_recipe_is_refused) {
  expect_refused(run_grimace({"pretrain", "--config", scratch_ / "gone.toml"}), "gone.toml");
}

TEST_F(BadSettingsTest, a_refused_run_leaves_neither_its_folders_nor_their_parents) {
  fs::create_directory(scratch_ / "mine");
  const fs::path out = scratch_ / "mine" / "deep" / "run";
  const Words settings{"--batch-size", "25", "--log-dir", scratch_ / "mine" / "deep" / "log"};
  expect_refused(run_grimace(pretrain(out, settings)), "fewer than a batch of 25");
  EXPECT_TRUE(fs::exists(scratch_ / "mine"));
  EXPECT_TRUE(fs::is_empty(scratch_ / "mine"));
}

TEST_F(BadSettingsTest, an_output_folder_that_is_a_file_is_refused) {
  write_bytes(scratch_ / "file", std::string("text"));
  expect_refused(run_grimace(pretrain(scratch_ / "file")), (scratch_ / "file").string());
  expect_refused(run_grimace(pretrain(scratch_ / "file" / "run")), (scratch_ / "file").string());
}

}  // namespace
}  // namespace grimace::testing

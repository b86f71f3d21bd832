// A recipe by flags: those of the authors' program, the program's own, and the names of models.
#include "tools/recipe_flags.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <CLI/CLI.hpp>
#include <fstream>

#include "tests/testing.h"

namespace grimace {
namespace {

using ::testing::AllOf;
using testing::error_of;
using ::testing::HasSubstr;
using ::testing::Not;

ResolvedRecipe parse_flags(const std::vector<std::string>& arguments) {
  CLI::App app;
  RecipeFlags flags(app);
  app.parse(std::vector<std::string>(arguments.rbegin(), arguments.rend()));
  return flags.resolve();
}
Recipe flags(const std::vector<std::string>& arguments) {
  return parse_flags(arguments).recipe;
}

constexpr const char* kAuthorsFlags =
    "--data_path=list.csv --output_dir=run --log_dir=log "
    "--model=pretrain_videomae_base_dim512_no_depth_patch16_160 --mask_type=part_window "
    "--mask_ratio=0.75 --part_apply_symmetry=local --input_size=96 --num_frames=8 "
    "--sampling_rate=2 --encoder_depth=3 --decoder_depth=2 --attn_type=joint "
    "--lg_first_attn_type=cross --lg_third_attn_type=self --lg_attn_param_sharing_first_third "
    "--lg_attn_param_sharing_all --lg_no_second --lg_no_third --normlize_target=false "
    "--use_frame_diff_as_target=true --frame_diff_group_size=4 --target_diff_weight=0.5 "
    "--opt=adamw --opt_eps=1e-6 --clip_grad=1.5 --weight_decay=0.1 --weight_decay_end=0.2 "
    "--lr=1e-3 --min_lr=1e-6 --warmup_epochs=2 --warmup_steps=-1 --drop_path=0.1 --batch_size=6 "
    "--epochs=7 --save_ckpt_freq=3 --num_samples=2 --num_workers=4 --seed=9 --resume=here "
    "--no_augmentation";

TEST(RecipeFlagsTest, TheAuthorsFlagsAreAcceptedWithDashOrUnderscore) {
  for (const std::string separator : {"_", "-"}) {
    std::vector<std::string> arguments = testing::words_of(kAuthorsFlags);
    for (std::string& word : arguments)
      std::replace(word.begin(), std::ranges::find(word, '='), '_', separator[0]);
    const auto add = [&](std::string name, std::vector<std::string> values) {
      std::ranges::replace(name, '_', separator[0]);
      arguments.push_back("--" + name);
      arguments.insert(arguments.end(), values.begin(), values.end());
    };
    add("part_win_size", {"2", "3", "6"});
    add("lg_region_size", {"(2,3,6)"});
    add("opt_betas", {"0.8", "0.9"});
    Recipe want;
    want.model = {.name = "pretrain_videomae_base_dim512_no_depth_patch16_160",
                  .attn_type = "joint",
                  .image = 96,
                  .frames = 8,
                  .encoder_depth = 3,
                  .decoder_depth = 2,
                  .region = {2, 3, 6},
                  .first_attn_type = "cross",
                  .third_attn_type = "self",
                  .share_first_third = true,
                  .share_all = true,
                  .no_second = true,
                  .no_third = true,
                  .drop_path = 0.1};
    want.mask = {.ratio = 0.75, .window = {2, 3, 6}, .symmetry = "local"};
    want.target = {.normalise = false, .group_size = 4, .diff_weight = 0.5};
    want.data = {.list = "list.csv",
                 .sampling_rate = 2,
                 .num_samples = 2,
                 .workers = 4,
                 .no_augmentation = true};
    want.optim = {.lr = 1e-3,
                  .min_lr = 1e-6,
                  .betas = {0.8, 0.9},
                  .eps = 1e-6,
                  .weight_decay = 0.1,
                  .weight_decay_end = 0.2,
                  .clip_grad = 1.5,
                  .warmup_epochs = 2,
                  .warmup_steps = -1,
                  .batch_size = 6,
                  .epochs = 7};
    want.run.out = "run";
    want.run.log_dir = "log";
    want.run.seed = 9;
    want.run.save_every_epochs = 3;
    want.run.resume = "here";
    const Recipe got = flags(arguments);
    EXPECT_EQ(got, want) << to_toml(got);
  }
}

TEST(RecipeFlagsTest, TheProgramsOwnFlagsAreAccepted) {
  const Recipe got = flags(
      {"--data",      "l",    "--root",       "r",  "--out",     "o", "--backend", "reference",
       "--precision", "bf16", "--batch-size", "2",  "--epochs",  "6", "--steps",   "60",
       "--seed",      "4",    "--workers",    "3",  "--threads", "2", "--resume",  "none",
       "--progress",  "json", "--max-bad",    "0.5"});
  Recipe want;
  want.data = {.list = "l", .root = "r", .workers = 3, .max_bad = 0.5};
  want.optim.batch_size = 2;
  want.optim.epochs = 6;
  want.optim.steps = 60;
  want.optim.warmup_epochs = 0;
  want.optim.warmup_steps = 3;
  want.run = {.out = "o",
              .seed = 4,
              .precision = "bf16",
              .backend = "reference",
              .threads = 2,
              .resume = "none",
              .progress = "json"};
  EXPECT_EQ(got, want) << to_toml(got);
}

TEST(RecipeFlagsTest, SwitchesComeBareOrWithAValue) {
  EXPECT_TRUE(flags({"--lg_no_second"}).model.no_second);
  EXPECT_TRUE(flags({"--lg_no_second", "--epochs", "3"}).model.no_second);
  EXPECT_TRUE(flags({"--lg_no_second", "1"}).model.no_second);
  EXPECT_TRUE(flags({"--lg-no-second=true"}).model.no_second);
  EXPECT_FALSE(flags({"--lg_no_second", "0", "--epochs", "3"}).model.no_second);
  EXPECT_FALSE(flags({"--normlize_target", "false"}).target.normalise);
  EXPECT_THAT(error_of([] {
                flags({"--lg_no_second", "maybe"});
              }),
              AllOf(HasSubstr("--lg"), HasSubstr("expected true or false, got \"maybe\"")));
  EXPECT_EQ(flags({"--no_auto_resume"}).run.resume, "none");
  EXPECT_EQ(flags({"--auto_resume", "false"}).run.resume, "none");
  EXPECT_EQ(flags({"--auto_resume"}).run.resume, "auto");
  EXPECT_EQ(flags({"--auto_resume", "--resume", "x"}).run.resume, "x");
  EXPECT_EQ(flags({"--part_apply_symmetry"}).mask.symmetry, "global");
  EXPECT_EQ(flags({"--part_apply_symmetry", "local"}).mask.symmetry, "local");
}

TEST(RecipeFlagsTest, ListsAreWrittenInAnyUsualWay) {
  const Recipe::Size3 want = {2, 5, 10};
  for (const auto& words : std::vector<std::vector<std::string>>{
           {"2", "5", "10"}, {"2,5,10"}, {"(2,5,10)"}, {"(2, 5, 10)"}, {"[2,5,10]"}, {"2 5 10"}}) {
    std::vector<std::string> arguments = {"--set", "mask.window=1,1,2", "--lg_region_size"};
    arguments.insert(arguments.end(), words.begin(), words.end());
    arguments.push_back("--lg_no_third");
    EXPECT_EQ(flags(arguments).model.region, want) << words[0];
  }
  EXPECT_THAT(error_of([] {
                flags({"--lg_region_size", "2", "5"});
              }),
              HasSubstr("expected 3 integers, got \"2 5\""));
}

TEST(RecipeFlagsTest, TheHelpShowsEachFlagOnceWithItsDefault) {
  CLI::App app;
  const RecipeFlags recipe_flags(app);
  EXPECT_THAT(app.help(), AllOf(HasSubstr("--mask-ratio"), HasSubstr("(default 0.9)"),
                                Not(HasSubstr("--mask_ratio"))));
}

TEST(RecipeFlagsTest, AFlagBeatsTheFileAndSetBeatsAFlag) {
  const testing::ScratchDir scratch;
  std::ofstream(scratch / "r.toml") << "[optim]\nepochs = 1\nlr = 0.5\nbatch_size = 3\n";
  const Recipe got = flags({"--set", "optim.epochs=4", "--epochs", "2", "--lr", "0.25", "--config",
                            (scratch / "r.toml").string(), "--set", "run.seed=1"});
  EXPECT_EQ(got.optim.epochs, 4);
  EXPECT_EQ(got.optim.lr, 0.25);
  EXPECT_EQ(got.optim.batch_size, 3);
  EXPECT_EQ(got.run.seed, 1);
}

TEST(RecipeModel, NamesSetWidthsAndExplicitSettingsComeAfter) {
  const Recipe vit =
      recipe_from_toml("[model]\nheads = 6\nname = \"videomae-pretrain\"\n", "r.toml");
  EXPECT_EQ(vit.model.attn_type, "joint");
  EXPECT_EQ(vit.model.embed_dim, 768);
  EXPECT_EQ(vit.model.heads, 6);
  EXPECT_EQ(vit.model.encoder_depth, 12);
  EXPECT_TRUE(is_classifier("vit_base_patch16_160"));
  EXPECT_FALSE(is_classifier("mae-dfer-pretrain"));
  EXPECT_THAT(error_of([] { recipe_for_model("resnet"); }),
              AllOf(HasSubstr("unknown model \"resnet\""), HasSubstr("mae-dfer-pretrain")));
}

TEST(RecipeModel, AWarmupThatIsNotGivenIsATwentiethOfTheRun) {
  EXPECT_EQ(flags({"--epochs", "3"}).optim.warmup_epochs, 0.15);
  EXPECT_EQ(flags({"--steps", "40"}).optim.warmup_steps, 2);
  EXPECT_EQ(flags({"--epochs", "30", "--warmup_epochs", "7"}).optim.warmup_epochs, 7);
  EXPECT_EQ(flags({"--epochs", "30", "--warmup_steps", "7"}).optim.warmup_epochs, 5);
  EXPECT_NO_THROW(validate(flags({"--epochs", "1"})));
  EXPECT_NO_THROW(validate(flags({"--steps", "1"})));
}

TEST(RecipeModel, ADepthIsHonouredOnlyWhereTheNameLeavesItOpen) {
  const auto fixed =
      parse_flags({"--model", "pretrain_videomae_base_patch16_160", "--encoder_depth", "16"});
  EXPECT_EQ(fixed.recipe.model.encoder_depth, 12);
  EXPECT_THAT(fixed.warnings, ::testing::ElementsAre(HasSubstr("encoder_depth = 16 is ignored")));
  for (const std::string open :
       {"pretrain_videomae_base_dim512_no_depth_patch16_160", "videomae-pretrain"}) {
    const auto resolved = parse_flags({"--model", open, "--encoder_depth", "3"});
    EXPECT_EQ(resolved.recipe.model.encoder_depth, 3);
    EXPECT_TRUE(resolved.warnings.empty());
  }
}

}  // namespace
}  // namespace grimace

// Recipes: the table of keys, TOML, --set, and what does not fit.
#include "tools/recipe.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <set>

#include "data/masks.h"
#include "ir/error.h"
#include "tests/testing.h"
#include "tools/recipe_keys.h"
#include "tools/recipe_model.h"

namespace grimace {
namespace {

using ::testing::AllOf;
using testing::error_of;
using ::testing::HasSubstr;
using ::testing::Not;

Recipe from(const std::string& toml) {
  return recipe_from_toml(toml, "r.toml");
}
std::string toml_error(const std::string& toml) {
  return error_of([&] { from(toml); });
}

std::string set_error(const std::string& pair) {
  return error_of([&] { Settings().set_pair(pair); });
}

// The error of a recipe whose settings are each right but do not fit together.
std::string misfit(const std::vector<std::string>& pairs) {
  Settings settings;
  for (const auto& pair : pairs) settings.set_pair(pair);
  return error_of([&] { validate(settings.resolve().recipe); });
}

TEST(Recipe, DefaultsAreThePublishedRecipe) {
  const Recipe recipe = Settings().resolve().recipe;
  EXPECT_EQ(recipe, Recipe());
  EXPECT_EQ(recipe.model.region, (Recipe::Size3{2, 5, 10}));
  EXPECT_EQ(recipe.optim.betas, (std::array<double, 2>{0.9, 0.95}));
  EXPECT_NO_THROW(validate(recipe));
}

TEST(Recipe, EveryDefaultPassesItsOwnRowOfTheTable) {
  std::set<std::string> names;
  for (const Key& key : recipe_keys()) {
    EXPECT_TRUE(names.insert(key.name).second) << key.name;
    EXPECT_NO_THROW(check_value(key, get_value(key, Recipe()), "default")) << key.name;
    EXPECT_FALSE(key.meaning.empty()) << key.name;
  }
}

TEST(Recipe, PrintedRecipeReadsBackExactly) {
  Recipe recipe = recipe_for_model("pretrain_videomae_base_patch16_160");
  EXPECT_EQ(from(to_toml(recipe)), recipe);
  recipe = Recipe();
  recipe.data.list = "a \"b\"\\\n\x01 ä.csv";
  recipe.optim.lr = 0.1 + 0.2;
  recipe.optim.eps = 1e-300;
  recipe.optim.min_lr = 3e22;
  recipe.optim.betas = {1.0 / 3, 0};
  recipe.target.diff_weight = 0.25;
  recipe.mask.window = {1, 2, 3};
  recipe.model.share_all = true;
  // 3e22 is out of range, which is how we see that the number itself came through.
  EXPECT_THAT(error_of([&] { from(to_toml(recipe)); }), HasSubstr("got 3e+22"));
  recipe.optim.min_lr = 5e-324;
  EXPECT_EQ(from(to_toml(recipe)), recipe);
}

TEST(Recipe, EveryKeyReachesItsOwnFieldFromItsPrintedText) {
  for (const Key& key : recipe_keys()) {
    Recipe changed;
    std::visit(
        [](auto* slot) {
          using T = std::decay_t<decltype(*slot)>;
          if constexpr (std::is_same_v<T, bool>) *slot = !*slot;
          if constexpr (std::is_same_v<T, int64_t>) *slot += 1;
          if constexpr (std::is_same_v<T, double>) *slot = *slot * 0.5 + 0.25;
          if constexpr (std::is_same_v<T, std::optional<double>>) *slot = 0.125;
          if constexpr (std::is_same_v<T, std::string>) *slot += "x";
          if constexpr (std::is_same_v<T, Recipe::Size3>) *slot = {4, 6, 7};
          if constexpr (std::is_same_v<T, std::array<double, 2>>) *slot = {0.5, 0.25};
          if constexpr (std::is_same_v<T, std::vector<std::string>>) *slot = {"a", "b c"};
        },
        key.slot(changed));
    if (!key.choices.empty()) set_value(key, changed, key.choices.back());
    const SettingValue value = get_value(key, changed);
    std::string text = value_to_toml(value);
    std::erase(text, '"');
    Recipe set;
    set_value(key, set, value_from_text(key, text, "test"));
    EXPECT_EQ(set, changed) << key.name;
  }
}

TEST(RecipeToml, AnUnknownKeyNamesTheLineAndTheNearestKey) {
  EXPECT_EQ(toml_error("[optim]\nlr = 1e-3\nwarmup_epoch = 3\n"),
            "r.toml:3: unknown key \"optim.warmup_epoch\"; did you mean \"optim.warmup_epochs\"?");
  EXPECT_EQ(toml_error("lr = 1e-3"), "r.toml:1: unknown key \"lr\"; did you mean \"optim.lr\"?");
  EXPECT_EQ(toml_error("[model]\nlg_region_size = [2, 5, 10]"),
            "r.toml:2: unknown key \"model.lg_region_size\"; did you mean \"model.region\"?");
  EXPECT_EQ(toml_error("[model.encoder]\n\ndepth = 2"),
            "r.toml:3: unknown key \"model.encoder.depth\"; did you mean \"model.encoder_depth\"?");
  EXPECT_THAT(toml_error("\"" + std::string(100000, 'x') + "\" = 1"), HasSubstr("did you mean"));
}

TEST(RecipeToml, AWrongTypeNamesTheKeyAndWhatWasExpected) {
  EXPECT_EQ(toml_error("[model]\nheads = \"8\""),
            "r.toml:2: model.heads: expected an integer, got string");
  EXPECT_THAT(toml_error("[model]\nheads = 8.5"), HasSubstr("got floating-point"));
  EXPECT_THAT(
      toml_error("[model]\nregion = [2, 5]"),
      HasSubstr("r.toml:2: model.region: expected 3 integers, got array (integer, integer)"));
  EXPECT_THAT(toml_error("[model]\nregion = [2, 5, [10]]"), HasSubstr("expected 3 integers"));
  EXPECT_THAT(toml_error("[model.heads]\na = 1"), HasSubstr("model.heads: expected an integer"));
  EXPECT_THAT(toml_error("[target]\nfrom = 1"), HasSubstr("unknown key"));
  EXPECT_THAT(toml_error("[target]\nnormalise = 1"), HasSubstr("expected true or false"));
  EXPECT_THAT(toml_error("[target]\ndiff_weight = \"some\""), HasSubstr("a number or none"));
  EXPECT_THAT(toml_error("model = 3"), HasSubstr("r.toml:1: unknown key \"model\""));
}

TEST(RecipeToml, AValueOutOfRangeNamesTheRange) {
  EXPECT_EQ(toml_error("[mask]\nratio = 1.5"), "r.toml:2: mask.ratio: expected 0 to 1, got 1.5");
  EXPECT_THAT(toml_error("[model]\nheads = 0"), HasSubstr("expected 1 to 256, got 0"));
  EXPECT_THAT(toml_error("[model]\nregion = [2, -5, 10]"), HasSubstr("got [2, -5, 10]"));
  EXPECT_THAT(toml_error("[optim]\nlr = nan"), HasSubstr("got nan"));
  EXPECT_THAT(toml_error("[optim]\nlr = inf"), HasSubstr("got inf"));
  EXPECT_THAT(toml_error("[mask]\ntype = \"random\""),
              HasSubstr("expected part_window or tube, got \"random\""));
}

TEST(RecipeToml, BrokenTomlNamesTheLineInOneLine) {
  for (const std::string bad : {"[model]\nheads = ", "[model]\nheads = 8\nheads = 9",
                                "[model]\n\xff", "[model]\na = \"x\ny\""}) {
    EXPECT_THAT(toml_error(bad),
                AllOf(HasSubstr("r.toml:"), HasSubstr("not TOML"), Not(HasSubstr("\n"))));
  }
}

TEST(RecipeToml, UnreadableAndHugeFilesAreRefused) {
  Settings settings;
  const testing::ScratchDir scratch;
  EXPECT_THAT(error_of([&] { settings.read_toml_file(scratch / "none.toml"); }),
              HasSubstr("none.toml: cannot read the recipe"));
  EXPECT_THAT(error_of([&] { settings.read_toml_file(scratch.path()); }),
              HasSubstr("cannot read the recipe"));
  std::ofstream(scratch / "huge.toml") << std::string(1 << 21, '\n');
  EXPECT_THAT(error_of([&] { settings.read_toml_file(scratch / "huge.toml"); }),
              HasSubstr("at most 1048576 bytes"));
}

TEST(RecipeSet, OverridesByKeyAndNamesMistakes) {
  Settings settings;
  settings.set_pair("model.encoder_depth=4");
  settings.set_pair("mask.window=(2,4,8)");
  settings.set_pair("target.diff_weight=0.5");
  settings.set_pair("target.diff_weight=none");
  settings.set_pair("data.list=a=b.csv");
  const Recipe recipe = settings.resolve().recipe;
  EXPECT_EQ(recipe.model.encoder_depth, 4);
  EXPECT_EQ(recipe.mask.window, (Recipe::Size3{2, 4, 8}));
  EXPECT_EQ(recipe.target.diff_weight, std::nullopt);
  EXPECT_EQ(recipe.data.list, "a=b.csv");
  EXPECT_EQ(set_error("model.depth=4"),
            "--set: unknown key \"model.depth\"; did you mean \"model.encoder_depth\"?");
  EXPECT_EQ(set_error("model.heads"), "--set: expected key=value, got \"model.heads\"");
  EXPECT_EQ(set_error("model.heads=8x"), "--set: model.heads: expected an integer, got \"8x\"");
  EXPECT_THAT(set_error("optim.epochs=99999999999999999999"), HasSubstr("expected an integer"));
  EXPECT_THAT(set_error("data.list=\xff"), HasSubstr("data.list: expected text (UTF-8)"));
  EXPECT_THAT(set_error("model.region=2,5"), HasSubstr("expected 3 integers, got \"2,5\""));
}

TEST(RecipeValidate, NamesTheKeysAndNumbersThatDoNotFit) {
  EXPECT_EQ(misfit({}), "no error");
  EXPECT_EQ(misfit({"model.image=150"}), "model.patch = 16 must divide model.image = 150");
  EXPECT_EQ(misfit({"model.frames=15"}), "model.tubelet = 2 must divide model.frames = 15");
  EXPECT_EQ(misfit({"model.heads=7"}), "model.heads = 7 must divide model.embed_dim = 512");
  EXPECT_EQ(misfit({"model.decoder_heads=7"}),
            "model.decoder_heads = 7 must divide model.decoder_dim = 384");
  EXPECT_THAT(misfit({"model.region=3,5,10"}),
              HasSubstr("model.region = 3x5x10 must tile the token grid 8x10x10"));
  EXPECT_THAT(misfit({"optim.min_lr=1"}), HasSubstr("optim.min_lr = 1 is above"));
  EXPECT_THAT(misfit({"optim.epochs=5", "optim.warmup_epochs=5"}),
              HasSubstr("optim.warmup_epochs = 5 must be below"));
  EXPECT_THAT(misfit({"optim.steps=5", "optim.warmup_steps=5"}), HasSubstr("optim.steps = 5"));
  EXPECT_EQ(misfit({"optim.steps=5", "optim.epochs=1"}), "no error");
  EXPECT_THAT(misfit({"run.backend=reference", "run.precision=bf16"}),
              HasSubstr("needs run.backend"));
}

TEST(RecipeValidate, MasksMustFitTheGridAndTheRegions) {
  EXPECT_THAT(misfit({"mask.type=tube"}), HasSubstr("use the mask type part_window"));
  EXPECT_EQ(misfit({"mask.type=tube", "model.name=videomae-pretrain"}), "no error");
  EXPECT_THAT(misfit({"mask.window=2,5,5"}), HasSubstr("its 5 columns must be even and span"));
  EXPECT_THAT(misfit({"mask.window=2,3,10"}), HasSubstr("3 rows do not divide the 10 rows"));
  EXPECT_THAT(misfit({"mask.window=2,2,10"}), HasSubstr("unequal numbers of visible tokens"));
  EXPECT_EQ(misfit({"mask.window=1,5,10"}), "no error");
  EXPECT_THAT(misfit({"mask.ratio=1"}), HasSubstr("mask ratio 1 masks all 50"));
  EXPECT_THAT(misfit({"mask.ratio=0.01"}), HasSubstr("mask ratio 0.01 masks none of the 50"));
  EXPECT_THAT(misfit({"mask.ratio=0.5", "mask.symmetry=global"}), HasSubstr("above 0.5; got 0.5"));
  EXPECT_EQ(misfit({"mask.symmetry=local"}), "no error");
}

TEST(RecipeValidate, TheDefaultMaskLeavesTenVisibleTokensInEachRegion) {
  const MaskGenerator masks(mask_config(Recipe()));
  EXPECT_EQ(masks.visible_per_region(), 10);
  EXPECT_EQ(masks.token_count() - masks.visible_count(), 720);
}

TEST(RecipeValidate, TargetsMustFitTheClip) {
  EXPECT_EQ(misfit({"target.group_size=3"}), "target.group_size = 3 must divide model.frames = 16");
  EXPECT_EQ(misfit({"target.group_size=3", "target.frame_diff=false"}), "no error");
  EXPECT_THAT(misfit({"target.diff_weight=0.5", "target.group_size=4"}),
              HasSubstr("needs target.frame_diff, target.group_size = 2"));
  EXPECT_THAT(misfit({"target.diff_weight=0.5", "target.frame_diff=false"}),
              HasSubstr("got false"));
  EXPECT_EQ(misfit({"target.diff_weight=0.5"}), "no error");
}

TEST(RecipeFiles, TheShippedRecipesAreValidAndTheLargeOneIsTheDefaultAtTheLoggedBatch) {
  for (const std::string name :
       {"pretrain-voxceleb2.toml", "pretrain-demo.toml", "finetune-demo.toml"}) {
    Settings settings;
    settings.read_toml_file(testing::repository_dir() / "recipes" / name);
    const ResolvedRecipe resolved = settings.resolve();
    EXPECT_TRUE(resolved.warnings.empty());
    EXPECT_NO_THROW(validate(resolved.recipe)) << name;
    if (name != "pretrain-voxceleb2.toml") continue;
    Recipe want;
    want.optim.accumulate = 5;
    want.run.precision = "bf16";
    want.run.keep_last = 10;
    EXPECT_EQ(resolved.recipe, want) << to_toml(resolved.recipe);
  }
}

TEST(RecipeFiles, DocsFlagsIsWhatTheTableSays) {
  const auto path = testing::repository_dir() / "docs" / "flags.md";
  if (std::getenv("GRIMACE_UPDATE_DOCS") != nullptr) std::ofstream(path) << flags_markdown();
  EXPECT_TRUE(testing::file_text(path) == flags_markdown())
      << "docs/flags.md is out of date; run this test once with GRIMACE_UPDATE_DOCS=1";
}

}  // namespace
}  // namespace grimace

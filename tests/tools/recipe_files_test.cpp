// The recipes in recipes/: each can be used, and those of data sets are as published.
#include <gtest/gtest.h>

#include "data/corpora.h"
#include "tests/testing.h"
#include "tools/recipe.h"

namespace grimace {
namespace {

Recipe read(const std::filesystem::path& file) {
  Settings settings;
  settings.read_toml_file(file);
  const ResolvedRecipe resolved = settings.resolve();
  EXPECT_TRUE(resolved.warnings.empty()) << file;
  return resolved.recipe;
}

TEST(ShippedRecipes, are_sound) {
  int files = 0;
  for (const auto& entry :
       std::filesystem::directory_iterator(testing::repository_dir() / "recipes")) {
    EXPECT_NO_THROW(validate(read(entry.path()))) << entry.path();
    ++files;
  }
  EXPECT_GE(files, 8);
}

// Spec 7.3: all but these settings are the defaults of a classifier.
TEST(ShippedRecipes, fine_tune_every_data_set_as_published) {
  for (const Corpus& corpus : corpora()) {
    const Recipe recipe =
        read(testing::repository_dir() / "recipes" / ("finetune-" + corpus.name + ".toml"));
    const bool ferv39k = corpus.name == "ferv39k";
    Recipe expected = recipe_for_model("mae-dfer-classifier");
    expected.data.list = "lists/" + corpus.name;
    expected.data.folds = std::ssize(corpus.folds);
    expected.data.classes = corpus.classes;
    expected.data.sampling_rate = ferv39k ? 1 : 4;
    expected.optim.batch_size = ferv39k ? 40 : 32;
    expected.optim.accumulate = 3;
    expected.run.precision = "bf16";
    EXPECT_EQ(to_toml(recipe), to_toml(expected)) << corpus.name;
  }
}

}  // namespace
}  // namespace grimace

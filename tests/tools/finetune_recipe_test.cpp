// The fine-tuning side of recipes: defaults, classes, parameter groups, the graph that is trained.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "ir/error.h"
#include "tests/testing.h"
#include "tools/recipe_model.h"

namespace grimace {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

Recipe recipe_of(const std::vector<std::string>& pairs) {
  Settings settings;
  settings.set_pair("model.name=mae-dfer-classifier");
  for (const std::string& pair : pairs) settings.set_pair(pair);
  return settings.resolve().recipe;
}

std::string misfit(const std::vector<std::string>& pairs) {
  return testing::error_of([&] { validate(recipe_of(pairs)); });
}

// A classifier with the names of the published one, and small.
Recipe small(const std::vector<std::string>& more = {}) {
  std::vector<std::string> pairs{
      "model.image=16",    "model.patch=4",         "model.frames=4",
      "model.embed_dim=8", "model.heads=2",         "model.region=2,2,4",
      "model.classes=3",   "model.encoder_depth=2", "optim.batch_size=2"};
  pairs.insert(pairs.end(), more.begin(), more.end());
  return recipe_of(pairs);
}

TEST(FinetuneRecipe, a_classifier_has_the_published_fine_tuning_as_its_defaults) {
  const Recipe recipe = recipe_of({});
  EXPECT_EQ(recipe.optim.lr, 1e-3);
  EXPECT_EQ(recipe.optim.min_lr, 1e-6);
  EXPECT_EQ(recipe.optim.betas, (std::array<double, 2>{0.9, 0.999}));
  EXPECT_EQ(recipe.optim.layer_decay, 0.75);
  EXPECT_EQ(recipe.model.drop_path, 0.1);
  EXPECT_EQ(recipe_of({"optim.lr=0.5"}).optim.lr, 0.5);
  EXPECT_EQ(recipe_for_model("mae-dfer-pretrain"), Recipe());
}

TEST(FinetuneRecipe, names_of_classes_survive_the_way_through_toml) {
  const Recipe recipe = recipe_of({"data.classes=happy, very sad,neutral"});
  EXPECT_THAT(recipe.data.classes, ElementsAre("happy", "very sad", "neutral"));
  EXPECT_EQ(recipe_from_toml(to_toml(recipe), "r.toml"), recipe);
  EXPECT_THAT(recipe_from_toml("[data]\nclasses = [\"a, b\", \"c\"]\n", "r.toml").data.classes,
              ElementsAre("a, b", "c"));
  EXPECT_THAT(recipe_of({"data.classes="}).data.classes, ElementsAre());
  EXPECT_THROW(recipe_of({"data.classes=a,,b"}), Error);
  EXPECT_THROW(recipe_from_toml("[data]\nclasses = [\"a\", 2]\n", "r.toml"), Error);
}

TEST(FinetuneRecipe, a_class_list_of_another_length_is_refused) {
  EXPECT_EQ(misfit({"data.classes=a,b", "model.classes=3"}),
            "data.classes names 2 classes but model.classes = 3");
  EXPECT_EQ(misfit({"data.classes=a,b", "model.classes=2"}), "no error");
}

// The rules with which the graph of a step updates every parameter.
std::map<std::string, ParamRule> rules_in_graph(const Recipe& recipe) {
  std::map<std::string, ParamRule> rules;
  const auto graph = training_graph(recipe);
  for (const Node& node : graph->nodes())
    if (node.op_name() == "adamw")
      rules[node.input(0).name()] = {node.flag("decay"), node.real("lr_scale")};
  return rules;
}

TEST(FinetuneRecipe, the_training_step_has_the_stored_parameter_groups) {
  std::ifstream in(testing::repository_dir() / "tests/golden/param_groups.json");
  const auto stored = nlohmann::json::parse(in)["finetune_depth2_layer_decay_0.75"];
  const auto rules = rules_in_graph(small());
  ASSERT_EQ(rules.size(), stored.size());
  for (const auto& [name, group] : stored.items()) {
    ASSERT_TRUE(rules.contains(name)) << name;
    EXPECT_EQ(rules.at(name).decay, group["weight_decay"].get<double>() > 0) << name;
    EXPECT_DOUBLE_EQ(rules.at(name).lr_scale, group["lr_scale"].get<double>()) << name;
  }
}

TEST(FinetuneRecipe, the_graph_takes_soft_targets_where_batches_are_mixed_and_labels_elsewhere) {
  const auto mixed = training_graph(small());
  EXPECT_EQ(mixed->find_input("targets").shape(), (Shape{2, 3}));
  EXPECT_FALSE(mixed->find_input("labels"));
  const auto plain = training_graph(small({"augment.mixup=0", "augment.cutmix=0"}));
  EXPECT_EQ(plain->find_input("labels").shape(), (Shape{2}));
  EXPECT_FALSE(plain->find_input("targets"));
}

TEST(FinetuneRecipe, repeated_augmentation_makes_the_batch_of_the_graph_larger) {
  const auto graph = training_graph(small({"augment.num_sample=3"}));
  EXPECT_EQ(graph->find_input("video").shape()[0], 6);
}

TEST(FinetuneRecipe, the_tokens_that_are_pooled_can_be_chosen) {
  EXPECT_EQ(model_config(small()).pool, PoolTokens::region);
  EXPECT_EQ(model_config(small({"model.classify_token=org"})).pool, PoolTokens::org);
  EXPECT_EQ(model_config(small({"model.classify_token=all"})).pool, PoolTokens::all);
  EXPECT_EQ(model_config(recipe_for_model("videomae-classifier")).pool, PoolTokens::org);
}

}  // namespace
}  // namespace grimace

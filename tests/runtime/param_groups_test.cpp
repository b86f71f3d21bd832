// Parameter groups against the stored assignments of the published program.
#include "runtime/param_groups.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <set>

#include "runtime/safetensors.h"
#include "tests/testing.h"

namespace grimace {
namespace {

using nlohmann::json;

json stored() {
  std::ifstream in(testing::repository_dir() / "tests/golden/param_groups.json");
  return json::parse(in);
}

// The file has no shapes; the published names tell the number of axes (spec section 10).
Shape shape_of(const std::string& name) {
  if (name.ends_with("bias") || name.find("norm") != std::string::npos) return {8};
  if (name.ends_with("mask_token")) return {1, 1, 8};
  if (name.ends_with("patch_embed.proj.weight")) return {8, 3, 2, 4, 4};
  return {8, 8};
}

void expect_groups(const json& expected, const ParamGroupRules& rules) {
  ASSERT_FALSE(expected.empty());
  for (const auto& [name, entry] : expected.items()) {
    const ParamGroup group = param_group(name, shape_of(name), rules);
    EXPECT_EQ(group.weight_decay, entry["weight_decay"].get<double>()) << name;
    EXPECT_DOUBLE_EQ(group.lr_scale, entry["lr_scale"].get<double>()) << name;
    EXPECT_EQ(group.layer, entry.value("layer", int64_t{0})) << name;
  }
}

TEST(ParamGroups, every_stored_assignment_is_reproduced) {
  const json file = stored();
  ASSERT_EQ(file.size(), 3u);
  expect_groups(file["pretrain_depth2"], {.mode = GroupMode::pretrain});
  expect_groups(file["finetune_depth2_layer_decay_0.75"],
                {.mode = GroupMode::finetune, .layer_decay = 0.75, .depth = 2});
  expect_groups(file["finetune_depth16_layer_decay_0.75"],
                {.mode = GroupMode::finetune, .layer_decay = 0.75, .depth = 16});
}

TEST(ParamGroups, the_stored_optimizer_run_decays_the_same_parameters) {
  const SafetensorsFile file(testing::repository_dir() / "tests/golden/optim_tiny.safetensors");
  const auto list = json::parse(file.metadata("no_weight_decay")).get<std::set<std::string>>();
  std::set<std::string> without_decay;
  for (const std::string& tensor : file.names()) {
    if (!tensor.starts_with("param.")) continue;
    const std::string name = tensor.substr(6);
    if (param_group(name, file.type(tensor).shape, {}).weight_decay == 0.0)
      without_decay.insert(name);
  }
  EXPECT_EQ(without_decay, list);
}

TEST(ParamGroups, fine_tuning_at_depth_16_has_36_groups) {
  std::set<std::pair<int64_t, double>> groups;
  const json file = stored();
  for (const auto& [name, entry] : file["finetune_depth16_layer_decay_0.75"].items()) {
    const ParamGroup group = param_group(
        name, shape_of(name), {.mode = GroupMode::finetune, .layer_decay = 0.75, .depth = 16});
    groups.emplace(group.layer, group.weight_decay);
  }
  EXPECT_EQ(groups.size(), 36u);
}

TEST(ParamGroups, region_tokens_are_decayed_in_pretraining_only) {
  EXPECT_EQ(param_group("encoder.lg_region_tokens", {8, 512}, {}).weight_decay, 0.05);
  EXPECT_EQ(param_group("lg_region_tokens", {8, 512}, {.mode = GroupMode::finetune}).weight_decay,
            0.0);
  EXPECT_EQ(param_group("mask_token", {1, 1, 384}, {}).weight_decay, 0.0);
}

TEST(ParamGroups, without_layer_decay_all_layers_learn_alike) {
  const ParamGroup group = param_group("blocks.3.mlp.fc1.weight", {8, 8},
                                       {.mode = GroupMode::finetune, .layer_decay = 1.0});
  EXPECT_EQ(group, (ParamGroup{.weight_decay = 0.05, .lr_scale = 1.0, .layer = 0}));
}

TEST(ParamGroups, a_block_beyond_the_depth_is_an_error) {
  const ParamGroupRules rules{.mode = GroupMode::finetune, .layer_decay = 0.75, .depth = 2};
  EXPECT_THROW(param_group("blocks.2.mlp.fc1.weight", {8, 8}, rules), Error);
  EXPECT_THROW(param_group("blocks.x.mlp.fc1.weight", {8, 8}, rules), Error);
  EXPECT_THROW(param_group("blocks.-1.mlp.fc1.weight", {8, 8}, rules), Error);
}

}  // namespace
}  // namespace grimace

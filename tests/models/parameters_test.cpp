// The published names, their order, and the published totals.
#include "models/parameters.h"

#include <set>

#include "runtime/param_groups.h"
#include "tests/models/model_run.h"

namespace grimace::testing {
namespace {

using ::testing::ElementsAreArray;

using Specs = std::vector<ParamSpec>;
using Names = std::vector<std::string>;

ModelConfig named(std::string_view name) {
  return named_model(name).config;
}

ModelConfig with_classes(std::string_view name, int64_t classes) {
  ModelConfig config = named(name);
  config.classes = classes;
  return config;
}

struct Totals {
  int64_t tensors = 0;
  int64_t values = 0;
  void add(const ParamSpec& spec) {
    ++tensors;
    values += spec.shape.numel();
  }
  bool operator==(const Totals&) const = default;
};
void PrintTo(const Totals& t, std::ostream* out) {
  *out << t.tensors << " tensors, " << t.values << " values";
}

Totals totals(const Specs& specs) {
  Totals result;
  for (const ParamSpec& spec : specs)
    if (spec.alias_of.empty()) result.add(spec);
  return result;
}

// "name shape" of everything under `prefix`, which is cut off; " = name" where a tensor is shared.
Names listed(const Specs& specs, const std::string& prefix = "") {
  Names result;
  for (const ParamSpec& spec : specs)
    if (spec.name.starts_with(prefix))
      result.push_back(cat(spec.name.substr(prefix.size()), " ", to_string(spec.shape),
                           spec.alias_of.empty() ? "" : " = " + spec.alias_of));
  return result;
}

TEST(Parameters, of_the_pretraining_models_have_the_published_totals) {
  EXPECT_EQ(totals(pretrain_parameters(named("mae-dfer-pretrain"))), (Totals{575, 92'760'192}));
  EXPECT_EQ(totals(pretrain_parameters(named("videomae-pretrain"))), (Totals{218, 94'210'944}));
}

TEST(Parameters, of_the_classifiers_have_the_published_totals) {
  const std::map<int64_t, int64_t> published{
      {6, 84'877'830}, {7, 84'878'343}, {8, 84'878'856}, {11, 84'880'395}};
  for (const auto& [classes, values] : published)
    EXPECT_EQ(totals(classifier_parameters(with_classes("mae-dfer-classifier", classes))),
              (Totals{519, values}));
  EXPECT_EQ(totals(classifier_parameters(named("videomae-classifier"))), (Totals{162, 86'232'583}));
  EXPECT_EQ(totals(classifier_parameters(with_classes("videomae-classifier", 11))),
            (Totals{162, 86'235'659}));
}

const Names kLgiBlock{"first_attn_norm0.weight 512",
                      "first_attn_norm0.bias 512",
                      "first_attn.q_bias 512",
                      "first_attn.v_bias 512",
                      "first_attn.q.weight 512x512",
                      "first_attn.kv.weight 1024x512",
                      "first_attn.proj.weight 512x512",
                      "first_attn.proj.bias 512",
                      "second_attn_norm0.weight 512",
                      "second_attn_norm0.bias 512",
                      "second_attn.q_bias 512",
                      "second_attn.v_bias 512",
                      "second_attn.q.weight 512x512",
                      "second_attn.kv.weight 1024x512",
                      "second_attn.proj.weight 512x512",
                      "second_attn.proj.bias 512",
                      "third_attn_norm0.weight 512",
                      "third_attn_norm0.bias 512",
                      "third_attn_norm1.weight 512",
                      "third_attn_norm1.bias 512",
                      "third_attn.q_bias 512",
                      "third_attn.v_bias 512",
                      "third_attn.q.weight 512x512",
                      "third_attn.kv.weight 1024x512",
                      "third_attn.proj.weight 512x512",
                      "third_attn.proj.bias 512",
                      "norm2.weight 512",
                      "norm2.bias 512",
                      "mlp.fc1.weight 2048x512",
                      "mlp.fc1.bias 2048",
                      "mlp.fc2.weight 512x2048",
                      "mlp.fc2.bias 512"};

TEST(Parameters, of_a_local_global_block_come_in_the_published_order) {
  EXPECT_THAT(listed(pretrain_parameters(named("mae-dfer-pretrain")), "encoder.blocks.15."),
              ElementsAreArray(kLgiBlock));
  EXPECT_THAT(listed(classifier_parameters(named("mae-dfer-classifier")), "blocks.0."),
              ElementsAreArray(kLgiBlock));
}

TEST(Parameters, of_a_plain_block_come_in_the_published_order) {
  EXPECT_THAT(listed(pretrain_parameters(named("mae-dfer-pretrain")), "decoder.blocks.3."),
              ElementsAreArray(
                  {"norm1.weight 384", "norm1.bias 384", "attn.q_bias 384", "attn.v_bias 384",
                   "attn.qkv.weight 1152x384", "attn.proj.weight 384x384", "attn.proj.bias 384",
                   "norm2.weight 384", "norm2.bias 384", "mlp.fc1.weight 1536x384",
                   "mlp.fc1.bias 1536", "mlp.fc2.weight 384x1536", "mlp.fc2.bias 384"}));
}

// All but the blocks, of which "blocks" remains, once.
Names frame(const Specs& specs) {
  Names result;
  for (const std::string& line : listed(specs)) {
    const size_t at = line.find("blocks.");
    const std::string shown = at == std::string::npos ? line : line.substr(0, at + 6);
    if (result.empty() || result.back() != shown) result.push_back(shown);
  }
  return result;
}

TEST(Parameters, around_the_blocks_come_in_the_published_order) {
  EXPECT_THAT(
      frame(pretrain_parameters(named("mae-dfer-pretrain"))),
      ElementsAreArray(
          {"mask_token 1x1x384", "encoder.lg_region_tokens 8x512",
           "encoder.patch_embed.proj.weight 512x3x2x16x16", "encoder.patch_embed.proj.bias 512",
           "encoder.blocks", "encoder.norm.weight 512", "encoder.norm.bias 512", "decoder.blocks",
           "decoder.norm.weight 384", "decoder.norm.bias 384", "decoder.head.weight 1536x384",
           "decoder.head.bias 1536", "encoder_to_decoder.weight 384x512"}));
  EXPECT_THAT(frame(classifier_parameters(named("mae-dfer-classifier"))),
              ElementsAreArray({"lg_region_tokens 8x512", "patch_embed.proj.weight 512x3x2x16x16",
                                "patch_embed.proj.bias 512", "blocks", "fc_norm.weight 512",
                                "fc_norm.bias 512", "head.weight 7x512", "head.bias 7"}));
  EXPECT_THAT(frame(classifier_parameters(named("videomae-classifier"))),
              ElementsAreArray({"patch_embed.proj.weight 768x3x2x16x16",
                                "patch_embed.proj.bias 768", "blocks", "fc_norm.weight 768",
                                "fc_norm.bias 768", "head.weight 7x768", "head.bias 7"}));
}

Names block_of(const ModelConfig& config) {
  return listed(classifier_parameters(config), "blocks.1.");
}

Names without(Names names, const std::string& prefix) {
  std::erase_if(names, [&](const std::string& name) { return name.starts_with(prefix); });
  return names;
}

TEST(Parameters, of_the_variants_of_a_block_differ_by_the_published_ones) {
  ModelConfig config = named("mae-dfer-classifier");
  config.first_cross = true;
  Names expected = kLgiBlock;
  expected.insert(expected.begin() + 2,
                  {"first_attn_norm1.weight 512", "first_attn_norm1.bias 512"});
  EXPECT_THAT(block_of(config), ElementsAreArray(expected));

  config = named("mae-dfer-classifier");
  config.third_self = true;
  EXPECT_THAT(block_of(config), ElementsAreArray(without(kLgiBlock, "third_attn_norm1")));

  config = named("mae-dfer-classifier");
  config.no_second = true;
  EXPECT_THAT(block_of(config), ElementsAreArray(without(kLgiBlock, "second_attn")));

  config = named("mae-dfer-classifier");
  config.no_third = true;
  EXPECT_THAT(block_of(config), ElementsAreArray(without(kLgiBlock, "third_attn")));
}

// Every tensor of `stages` is listed, and is the first attention's tensor.
void expect_shared(const ModelConfig& config, const Names& stages) {
  Names expected = kLgiBlock;
  for (std::string& line : expected)
    for (const std::string& stage : stages)
      if (line.starts_with(stage + "."))
        line += " = blocks.1.first_attn" + line.substr(stage.size(), line.find(' ') - stage.size());
  EXPECT_THAT(block_of(config), ElementsAreArray(expected));
  const auto shared = static_cast<int64_t>(stages.size());
  EXPECT_EQ(totals(classifier_parameters(config)),
            (Totals{519 - 16 * 6 * shared, 84'878'343 - 16 * 1'050'112 * shared}));
}

TEST(Parameters, that_are_shared_are_listed_under_every_name_and_counted_once) {
  ModelConfig config = named("mae-dfer-classifier");
  config.share_first_third = true;
  expect_shared(config, {"third_attn"});
  config.share_first_third = false;
  config.share_all = true;
  expect_shared(config, {"second_attn", "third_attn"});
}

TEST(Parameters, that_are_shared_become_one_graph_input) {
  ModelConfig config = tiny_config();
  config.share_all = true;
  const Specs specs = pretrain_parameters(config);
  Graph graph;
  Builder b(graph);
  declare(b, specs);
  Names expected;
  for (const ParamSpec& spec : specs)
    if (spec.alias_of.empty()) expected.push_back(spec.name);
  Names declared;
  for (const Value& param : graph.inputs(Role::param)) declared.push_back(param.name());
  EXPECT_EQ(declared, expected);
  EXPECT_LT(declared.size(), specs.size());
}

TEST(Parameters, have_names_of_their_own_in_every_model) {
  for (const char* name :
       {"mae-dfer-pretrain", "mae-dfer-classifier", "videomae-pretrain", "videomae-classifier"}) {
    const NamedModel model = named_model(name);
    std::set<std::string> seen;
    for (const ParamSpec& spec :
         model.classifier ? classifier_parameters(model.config) : pretrain_parameters(model.config))
      EXPECT_TRUE(seen.insert(spec.name).second) << name << " lists " << spec.name << " twice";
  }
}

TEST(ParameterGroups, of_pretraining_have_the_published_counts) {
  std::map<double, Totals> by_decay;
  for (const ParamSpec& spec : pretrain_parameters(named("mae-dfer-pretrain")))
    by_decay[param_group(spec.name, spec.shape, {}).weight_decay].add(spec);
  EXPECT_EQ(by_decay.size(), 2u);
  EXPECT_EQ(by_decay[0.0], (Totals{379, 219'264}));
  EXPECT_EQ(by_decay[0.05], (Totals{196, 92'540'928}));
}

TEST(ParameterGroups, of_fine_tuning_have_the_published_counts) {
  const ParamGroupRules rules{GroupMode::finetune, 0.05, 0.75, 16};
  std::map<std::pair<int64_t, bool>, Totals> groups;
  for (const ParamSpec& spec : classifier_parameters(named("mae-dfer-classifier"))) {
    const ParamGroup group = param_group(spec.name, spec.shape, rules);
    groups[{group.layer, group.weight_decay > 0.0}].add(spec);
    EXPECT_NEAR(group.lr_scale, std::pow(0.75, 17.0 - static_cast<double>(group.layer)), 1e-12);
  }
  EXPECT_EQ(groups.size(), 36u);
  for (int64_t level = 1; level <= 16; ++level) {
    EXPECT_EQ((groups[{level, false}]), (Totals{21, 12'288}));
    EXPECT_EQ((groups[{level, true}]), (Totals{11, 5'242'880}));
  }
  EXPECT_EQ((groups[{0, false}]), (Totals{1, 512}));
  EXPECT_EQ((groups[{0, true}]), (Totals{1, 786'432}));
  EXPECT_EQ((groups[{17, false}]), (Totals{4, 4'096 + 1'024 + 7}));
  EXPECT_EQ((groups[{17, true}]), (Totals{1, 3'584}));
}

}  // namespace
}  // namespace grimace::testing

// The published parameter and multiply-accumulate counts, to the last digit (spec sections 10 and
// 11.1), counted on the graphs that are trained.
#include "tools/graph_stats.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "ir/builder.h"
#include "tests/testing.h"
#include "tools/recipe_model.h"

namespace grimace {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

Recipe recipe_with(const std::vector<std::string>& pairs) {
  Settings settings;
  settings.set_pair("optim.batch_size=2");
  for (const std::string& pair : pairs) settings.set_pair(pair);
  return settings.resolve().recipe;
}

GraphStats stats_of(const std::string& model) {
  return model_stats(recipe_with({"model.name=" + model}));
}

int64_t macs_after(const GraphStats& stats, const std::string& pass) {
  for (const StepReport& step : stats.forward.steps)
    if (step.name == pass) return stats.per_clip(step.macs);
  return -1;
}

const StageStats& stage(const GraphStats& stats, const std::string& name) {
  for (const StageStats& s : stats.stages)
    if (s.stage == name) return s;
  throw Error("no stage " + name);
}

// What hoist_slice saves. The last decoder block asks only for 720 of 800 tokens (queries, their
// scores and sums, projection, MLP), the last encoder block's MLP leaves out 8 representatives.
constexpr int64_t kDecoderAttention = 2 * 80 * 384 * 384 + 2 * 80 * 800 * 384;
constexpr int64_t kDecoderMlp = 80 * 8 * 384 * 384;
constexpr int64_t kEncoderMlp = 8 * 8 * 512 * 512;
// The classifier reads the representatives alone: the last block needs no third stage and no MLP
// of the other 800 tokens.
constexpr int64_t kClassifier = 430'178'304 + int64_t{800} * 8 * 512 * 512;

TEST(GraphStats, CountsThePublishedParametersAndMacsOfPretraining) {
  const GraphStats stats = stats_of("mae-dfer-pretrain");
  EXPECT_EQ(stats.parameters, 92'760'192);
  EXPECT_EQ(stats.parameter_tensors, 575);
  EXPECT_EQ(stats.batch, 2);
  EXPECT_EQ(stats.per_clip(stats.forward.macs_as_built), 14'026'932'224);
  EXPECT_EQ(macs_after(stats, "eliminate_common"), 14'026'932'224);
  EXPECT_EQ(macs_after(stats, "hoist_gather"), 13'460'701'184);
  EXPECT_EQ(macs_after(stats, "canonicalise.2"), 13'460'701'184);
  EXPECT_EQ(macs_after(stats, "eliminate_dead.2"),
            13'460'701'184 - kDecoderAttention - kDecoderMlp - kEncoderMlp);
}

TEST(GraphStats, CountsThePublishedParametersAndMacsOfTheClassifier) {
  const GraphStats stats = stats_of("mae-dfer-classifier");
  EXPECT_EQ(stats.parameters, 84'878'343);
  EXPECT_EQ(stats.parameter_tensors, 519);
  EXPECT_EQ(stats.per_clip(stats.forward.macs_as_built), 49'652'305'408);
  EXPECT_EQ(macs_after(stats, "canonicalise.2"), 49'652'305'408);
  EXPECT_EQ(macs_after(stats, "eliminate_dead.2"), 49'652'305'408 - kClassifier);
}

TEST(GraphStats, CountsThePublishedParametersAndMacsOfTheViTs) {
  const GraphStats pretraining = stats_of("videomae-pretrain");
  EXPECT_EQ(pretraining.parameters, 94'210'944);
  EXPECT_EQ(pretraining.per_clip(pretraining.forward.macs_as_built), 15'933'112'320);
  EXPECT_EQ(macs_after(pretraining, "hoist_gather"), 15'083'765'760);
  const GraphStats classifier = stats_of("videomae-classifier");
  EXPECT_EQ(classifier.parameters, 86'232'583);
  EXPECT_EQ(classifier.per_clip(classifier.forward.macs_as_built), 80'687'928'576);
}

TEST(GraphStats, CountsTheClassifierWithSmallerRegions) {
  const GraphStats stats =
      model_stats(recipe_with({"model.name=mae-dfer-classifier", "model.region=2,2,10"}));
  EXPECT_EQ(stats.per_clip(stats.forward.macs_as_built), 49'934'831'104);
}

TEST(GraphStats, GiveEveryStageItsShareOfTheTable) {
  const GraphStats stats = stats_of("mae-dfer-pretrain");
  EXPECT_EQ(stage(stats, "encoder/patch_embed").macs_as_built, 629'145'600);
  EXPECT_EQ(stage(stats, "encoder/patch_embed").macs, 62'914'560);
  EXPECT_EQ(stage(stats, "encoder/blocks[16]/first_attn").macs, int64_t{16} * 93'265'920);
  EXPECT_EQ(stage(stats, "encoder/blocks[16]/second_attn").macs, int64_t{16} * 8'454'144);
  EXPECT_EQ(stage(stats, "encoder/blocks[16]/third_attn").macs, int64_t{16} * 46'792'704);
  EXPECT_EQ(stage(stats, "encoder/blocks[16]/mlp").macs, int64_t{16} * 184'549'376 - kEncoderMlp);
  EXPECT_EQ(stage(stats, "decoder/encoder_to_decoder").macs, 15'728'640);
  EXPECT_EQ(stage(stats, "decoder/blocks[4]/attn").macs,
            int64_t{4} * 963'379'200 - kDecoderAttention);
  EXPECT_EQ(stage(stats, "decoder/blocks[4]/mlp").macs, int64_t{4} * 943'718'400 - kDecoderMlp);
  EXPECT_EQ(stage(stats, "decoder/head").macs, 424'673'280);
  int64_t macs = 0, parameters = 0;
  for (const StageStats& s : stats.stages) {
    macs += s.macs;
    parameters += s.parameters;
  }
  EXPECT_EQ(macs, 13'460'701'184 - kDecoderAttention - kDecoderMlp - kEncoderMlp);
  EXPECT_EQ(parameters, stats.parameters);
}

TEST(GraphStats, DoNotDependOnTheBatchSize) {
  const GraphStats one = model_stats(recipe_with({"optim.batch_size=1"}));
  const GraphStats two = stats_of("mae-dfer-pretrain");
  EXPECT_EQ(one.per_clip(one.forward.macs_as_built), two.per_clip(two.forward.macs_as_built));
  EXPECT_EQ(one.forward.nodes_as_built, two.forward.nodes_as_built);
  ASSERT_EQ(one.memory.size(), two.memory.size());
  EXPECT_LT(one.memory.back().transient, two.memory.back().transient);
}

TEST(GraphStats, TrainingCostsAboutThreeForwardPassesAndKeepsTwoMomentsPerParameter) {
  const GraphStats stats = stats_of("mae-dfer-pretrain");
  ASSERT_TRUE(stats.training);
  // Three, less what pixels and frozen tables need not, plus the attention weights that the
  // backward pass computes again.
  const double ratio = static_cast<double>(stats.training->steps.back().macs) /
                       static_cast<double>(stats.forward.steps.back().macs);
  EXPECT_GT(ratio, 3.05);
  EXPECT_LT(ratio, 3.08);
  for (const MemoryStats& m : stats.memory) {
    const int64_t width = m.precision == "f64" ? 8 : 4;
    if (m.graph == "training step") {
      EXPECT_GE(m.persistent, 3 * width * stats.parameters) << m.backend << " " << m.precision;
    }
    EXPECT_GE(m.transient, m.lower_bound);
    EXPECT_LE(m.transient, m.lower_bound + m.lower_bound / 10) << m.graph << " " << m.precision;
  }
}

TEST(GraphStats, JsonHoldsTheSameNumbers) {
  const GraphStats stats = stats_of("mae-dfer-classifier");
  const auto json = nlohmann::json::parse(stats_json(stats));
  EXPECT_EQ(json["parameters"], 84'878'343);
  EXPECT_EQ(json["batch_size"], 2);
  EXPECT_EQ(json["forward"]["as_built"]["macs_per_clip"], 49'652'305'408);
  EXPECT_EQ(json["forward"]["passes"].size(), stats.forward.steps.size());
  EXPECT_EQ(json["training_step"]["passes"].back()["nodes"],
            stats.training->steps.back().nodes_after);
  EXPECT_EQ(json["stages"].size(), stats.stages.size());
  EXPECT_EQ(json["memory"].size(), stats.memory.size());
  EXPECT_THAT(stats_text(stats), HasSubstr("49,652,305,408"));
}

TEST(GraphStats, StagesAreScopesWithoutBlockNumbers) {
  EXPECT_EQ(stage_of("encoder/blocks.3/first_attn"), "encoder/blocks/first_attn");
  EXPECT_EQ(stage_of("encoder/blocks.12"), "encoder/blocks");
  EXPECT_EQ(stage_of("a.b/c.d.1/e/f"), "a.b/c.d/e");
  EXPECT_EQ(stage_of(""), "other");
}

TEST(GraphPipeline, MakesTheGraphThatIsTrained) {
  const Recipe recipe = recipe_with({"optim.batch_size=1"});
  const auto stepwise = loss_graph(recipe);
  const auto reports = run_pipeline(*stepwise, training_pipeline(recipe));
  const auto whole = training_graph(recipe);
  EXPECT_EQ(node_count(*stepwise), node_count(*whole));
  EXPECT_EQ(total_macs(*stepwise), total_macs(*whole));
  EXPECT_EQ(reports.back().nodes_after, node_count(*whole));
}

TEST(GraphPipeline, StopsAfterTheNamedStepAndNumbersRepeatedNames) {
  Graph graph;
  Builder b(graph);
  const Value x = b.input("x", {DType::f32, {4}});
  b.output("y", x + x);
  std::vector<std::string> seen;
  const auto note = [&](const StepReport& step, const Graph&) { seen.push_back(step.name); };
  run_pipeline(graph, forward_pipeline(), "eliminate_common", note);
  EXPECT_THAT(seen, ElementsAre("canonicalise", "fold", "eliminate_common"));
  seen.clear();
  run_pipeline(graph, forward_pipeline(), "canonicalise.2", note);
  EXPECT_EQ(seen.back(), "canonicalise.2");
  EXPECT_THAT(testing::error_of([&] { run_pipeline(graph, forward_pipeline(), "hoist"); }),
              HasSubstr("hoist_gather, "));
}

}  // namespace
}  // namespace grimace

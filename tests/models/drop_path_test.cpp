// Stochastic depth: which blocks, what is dropped together, and the draws.
#include "autodiff/gradients.h"
#include "ir/op_def.h"
#include "models/classifier.h"
#include "models/parameters.h"
#include "tests/models/model_run.h"

namespace grimace::testing {
namespace {

using ::testing::ElementsAre;

TEST(DropPath, rises_linearly_from_nothing_in_the_first_block) {
  ModelConfig config;
  config.drop_path = 0.1;
  EXPECT_EQ(drop_rate(config, 0), 0.0);
  EXPECT_NEAR(drop_rate(config, 6), 0.04, 1e-15);
  EXPECT_NEAR(drop_rate(config, 15), 0.1, 1e-15);
  config.depth = 1;
  EXPECT_EQ(drop_rate(config, 0), 0.0);
}

// "scope/of/block: shape" of every draw.
std::vector<std::string> draws(const ModelConfig& config, bool training, int64_t batch = 3) {
  Graph graph;
  Builder b(graph);
  build_classifier(b, config, {.batch = batch, .training = training});
  std::vector<std::string> result;
  for (const Node& node : graph.nodes())
    if (node.is(op_random_uniform))
      result.push_back(cat(node.scope(), ": ", to_string(node.out().shape)));
  return result;
}

ModelConfig dropping(double rate = 0.5) {
  ModelConfig config = tiny_config();
  config.drop_path = rate;
  return config;
}

TEST(DropPath, drops_regions_in_stage_1_and_the_mlp_and_clips_in_stages_2_and_3) {
  EXPECT_THAT(
      draws(dropping(), true),
      ElementsAre("encoder/blocks.1/first_attn: 12x1x1", "encoder/blocks.1/second_attn: 3x1x1",
                  "encoder/blocks.1/third_attn: 3x1x1", "encoder/blocks.1: 12x1x1"));
}

TEST(DropPath, drops_regions_in_a_third_stage_within_regions) {
  ModelConfig config = dropping();
  config.first_cross = config.third_self = config.no_second = true;
  EXPECT_THAT(draws(config, true),
              ElementsAre("encoder/blocks.1/first_attn: 12x1x1",
                          "encoder/blocks.1/third_attn: 12x1x1", "encoder/blocks.1: 12x1x1"));
}

TEST(DropPath, drops_clips_in_plain_blocks) {
  ModelConfig config = dropping();
  config.encoder = Encoder::joint;
  config.pool = PoolTokens::org;
  EXPECT_THAT(draws(config, true),
              ElementsAre("encoder/blocks.1: 3x1x1", "encoder/blocks.1: 3x1x1"));
}

TEST(DropPath, is_absent_in_evaluation_and_at_rate_0) {
  EXPECT_THAT(draws(dropping(), false), ElementsAre());
  EXPECT_THAT(draws(dropping(0.0), true), ElementsAre());
  Graph graph;
  Builder b(graph);
  build_classifier(b, dropping(), {});
  EXPECT_FALSE(graph.find_input("random.seed"));
}

TEST(DropPath, numbers_every_draw_of_a_step_differently) {
  ModelConfig config = dropping();
  config.depth = 4;
  Graph graph;
  Builder b(graph);
  build_classifier(b, config, {.batch = 2, .training = true});
  std::vector<int64_t> sites;
  for (const Node& node : graph.nodes())
    if (node.is(op_random_uniform)) sites.push_back(node.integer("site"));
  EXPECT_EQ(sites.size(), 12u);
  std::sort(sites.begin(), sites.end());
  EXPECT_EQ(std::adjacent_find(sites.begin(), sites.end()), sites.end());
}

// Two branches of 2000 entries of 6 numbers, and the gradient of the sum of the first.
struct Dropped : Trial {
  static constexpr int64_t kEntries = 2000;
  static constexpr double kRate = 0.25;

  Dropped() {
    const ModelConfig config = tiny_config();
    const LayerContext c{b, config, true};
    const Value x = b.input("x", {DType::f32, {kEntries, 2, 3}});
    const Value y = drop_path(c, x, kRate);
    b.output("y", y);
    b.output("other", drop_path(c, x, kRate));
    b.output("dx", gradients(b, b.reduce_sum(y, {0, 1, 2}), {x})[0]);
  }
  std::map<std::string, Numbers> at(double seed, double step) {
    set("random.seed", {seed});
    set("random.step", {step});
    return run();
  }
};

TEST(DropPath, keeps_or_drops_whole_entries_and_scales_the_survivors) {
  Dropped trial;
  const Numbers x = drawn("x", Dropped::kEntries * 6);
  const auto result = trial.at(1, 1);
  Numbers expected(x.size());
  Numbers gradient(x.size());
  int64_t kept = 0;
  for (size_t entry = 0; entry < x.size() / 6; ++entry) {
    const bool keep = result.at("y")[entry * 6] != 0.0;
    kept += keep ? 1 : 0;
    for (size_t i = entry * 6; i < entry * 6 + 6; ++i) {
      expected[i] = keep ? x[i] / 0.75 : 0.0;
      gradient[i] = keep ? 1.0 / 0.75 : 0.0;
    }
  }
  EXPECT_THAT(result.at("y"), near_all(expected));
  EXPECT_THAT(result.at("dx"), near_all(gradient));
  EXPECT_NEAR(static_cast<double>(kept) / Dropped::kEntries, 0.75, 0.03);
}

TEST(DropPath, draws_by_seed_step_and_call) {
  Dropped trial;
  const auto first = trial.at(1, 1);
  EXPECT_EQ(trial.at(1, 1), first);
  EXPECT_NE(trial.at(1, 2).at("y"), first.at("y"));
  EXPECT_NE(trial.at(2, 1).at("y"), first.at("y"));
  EXPECT_NE(first.at("other"), first.at("y"));
}

TEST(DropPath, lets_gradients_reach_every_parameter_of_a_model) {
  Trial trial;
  ModelConfig config = dropping();
  config.pool = PoolTokens::all;  // the last third stage reaches local tokens alone
  const ClassifierModel model =
      build_classifier(trial.b, config, {.batch = 2, .training = true, .with_loss = true});
  const std::vector<Value> params = trial.graph.inputs(Role::param);
  const std::vector<Value> grads = gradients(trial.b, model.loss, params);
  for (size_t i = 0; i < params.size(); ++i) trial.b.output(params[i].name(), grads[i]);
  std::map<std::string, double> largest;
  for (double step = 0; step < 4; ++step) {
    trial.set("random.step", {step});
    for (const auto& [name, grad] : trial.run())
      for (const double g : grad) largest[name] = std::max(largest[name], std::abs(g));
  }
  EXPECT_EQ(largest.size(), params.size());
  for (const auto& [name, value] : largest) EXPECT_GT(value, 1e-9) << name;
}

}  // namespace
}  // namespace grimace::testing

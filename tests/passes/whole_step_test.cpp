// All passes together on a whole training step of a small masked autoencoder.
#include <cmath>

#include "autodiff/train_step.h"
#include "models/masked_autoencoder.h"
#include "tests/passes/pass_testing.h"

namespace grimace::testing {
namespace {

ModelConfig small_model(Encoder encoder) {
  ModelConfig config;
  config.encoder = encoder;
  config.image = 32;
  config.embed_dim = 16;
  config.heads = 2;
  config.depth = 2;
  config.drop_path = 0.3;
  config.region = {2, 2, 2};
  config.decoder_dim = 12;
  config.decoder_heads = 2;
  config.decoder_depth = 1;
  return config;
}

void add_forward(Graph& graph, Encoder encoder) {
  Builder b(graph);
  const PretrainOptions options{.batch = 2, .visible = 16, .training = true};
  const PretrainModel model = build_pretrain(b, small_model(encoder), TargetConfig{}, options);
  b.output("forward_loss", model.loss);
  b.output("pred", model.pred);
}

void add_backward(Graph& graph) {
  Builder b(graph);
  std::map<std::string, ParamRule> rules;
  for (const Value& param : graph.inputs(Role::param)) rules[param.name()] = {};
  add_train_step(b, graph.find_output("forward_loss"), rules, {});
}

// Random, but for a mask that hides every second frame, and second moments that are not negative.
std::map<std::string, Buffer> step_inputs(const Graph& graph) {
  auto inputs = random_inputs(graph);
  const auto mask = inputs.at("mask").view().as<uint8_t>();
  for (size_t i = 0; i < mask.size(); ++i) mask[i] = i / 4 % 2;
  for (auto& [name, buffer] : inputs)
    if (name.starts_with("exp_avg_sq."))
      for (float& value : buffer.view().as<float>()) value = std::abs(value);
  return inputs;
}

class WholeStep : public ::testing::TestWithParam<Encoder> {
 protected:
  WholeStep() {
    add_forward(plain_, GetParam());
    add_forward(passed_, GetParam());
    run_passes(passed_, forward_passes());
    add_backward(plain_);
    add_backward(passed_);
    run_passes(passed_, training_passes());
    inputs_ = step_inputs(plain_);
    expected_ = interpret(plain_, inputs_);
  }
  void expect_numbers(double tolerance) const {
    ASSERT_NO_THROW(verify(passed_));
    const Interpretation actual = interpret(passed_, inputs_);
    expect_same(expected_.outputs, actual.outputs, tolerance);
    expect_same(expected_.updates, actual.updates, tolerance);
  }

  Graph plain_;
  Graph passed_;
  std::map<std::string, Buffer> inputs_;
  Interpretation expected_;
};

TEST_P(WholeStep, KeepsItsNumbersThroughEveryPass) {
  EXPECT_LT(passed_.nodes().size(), plain_.nodes().size());
  expect_numbers(1e-6);
}

// What one pass uncovers for an earlier one of the list is taken up by a second run.
TEST_P(WholeStep, ReachesAFixedPointInTheSecondRun) {
  run_passes(passed_, training_passes());
  for (const PassReport& report : run_passes(passed_, training_passes()))
    EXPECT_EQ(report.fired, 0) << report.name;
}

TEST_P(WholeStep, IsTheSameInPrimitiveOps) {
  EXPECT_GT(expand(passed_, [](const Node&) { return false; }), 0);
  run_passes(passed_, training_passes());
  expect_numbers(1e-5);
}

TEST_P(WholeStep, IsNearlyTheSameWithSixteenBitOperands) {
  EXPECT_GT(mixed_precision(passed_, DType::bf16), 0);
  expect_numbers(0.02);
}

INSTANTIATE_TEST_SUITE_P(Encoders, WholeStep,
                         ::testing::Values(Encoder::joint, Encoder::local_global),
                         [](const auto& info) {
                           return info.param == Encoder::joint ? "joint" : "local_global";
                         });

}  // namespace
}  // namespace grimace::testing

// Gradients of every op and of whole blocks against finite differences in f64.
#include "autodiff/gradients.h"

#include <gtest/gtest.h>

#include <cmath>

#include "autodiff/gradient_check.h"
#include "tests/op_cases.h"
#include "tests/testing.h"

namespace grimace {
namespace {

using testing::OpCase;

constexpr double kLimit = 1e-6;

// Inputs that a numeric gradient exists for.
std::vector<std::string> targets_of(const OpCase& op_case) {
  std::vector<std::string> targets;
  for (size_t i = 0; i < op_case.inputs.size(); ++i)
    if (op_case.inputs[i].differentiable && op_case.inputs[i].type.dtype == DType::f32)
      targets.push_back(cat("in", i));
  return targets;
}

bool is_fused_linear(const OpCase& op_case) {
  return build(op_case)->nodes().front().is(op_linear) &&
         build(op_case)->nodes().front().text("epilogue") != "none";
}

TEST(Gradients, agree_with_finite_differences_for_every_differentiable_op) {
  std::map<std::string_view, int64_t> compared;
  for (const OpCase& op_case : testing::op_cases()) {
    if (op_case.op->grad == nullptr || op_case.has_16_bit() || is_fused_linear(op_case)) continue;
    const auto graph = build(op_case, DType::f64);
    const auto inputs = random_inputs(op_case, 3, DType::f64);
    const GradientError worst = check_gradients(*graph, inputs, targets_of(op_case));
    EXPECT_LE(worst.error, kLimit) << op_case.name() << ": " << worst;
    compared[op_case.op->name] += worst.compared;
  }
  for (const OpDef* op : all_ops())
    EXPECT_TRUE(op->grad == nullptr || compared[op->name] > 0) << op->name << " was never compared";
}

// A graph whose f64 inputs are all drawn from [-1, 1) and all targets.
struct Composite {
  Graph graph{"composite"};
  Builder b{graph};
  std::vector<std::string> targets;

  Value x(const std::string& name, const Shape& shape) {
    targets.push_back(name);
    return b.input(name, {DType::f64, shape});
  }
  void expect_good_gradients() {
    const GradientError worst = check_gradients(graph, testing::random_inputs(graph), targets);
    EXPECT_LE(worst.error, kLimit) << worst;
    EXPECT_GT(worst.compared, 0);
  }
};

TEST(Gradients, of_a_residual_mlp_block_agree) {
  Composite c;
  Builder& b = c.b;
  const Value x = c.x("x", {2, 3, 4});
  const Value h = b.layer_norm(x, c.x("norm.weight", {4}), c.x("norm.bias", {4}), 1e-6);
  const Value a = b.gelu(b.linear(h, c.x("fc1.weight", {8, 4}), c.x("fc1.bias", {8})));
  b.output("y", x + b.linear(a, c.x("fc2.weight", {4, 8}), c.x("fc2.bias", {4})));
  c.expect_good_gradients();
}

TEST(Gradients, of_attention_agree) {
  Composite c;
  Builder& b = c.b;
  const Value x = c.x("x", {2, 5, 6});
  const auto heads = [&](const char* name) {
    const Value packed = b.linear(x, c.x(name, {6, 6}));
    return b.transpose(b.reshape(packed, {2, 5, 2, 3}), {0, 2, 1, 3});
  };
  const Value q = heads("q") * (1.0 / std::sqrt(3.0));
  const Value k = heads("k");
  const Value weights = b.softmax(b.matmul(q, k, false, true));
  const Value merged = b.transpose(b.matmul(weights, heads("v")), {0, 2, 1, 3});
  b.output("y", b.linear(b.reshape(merged, {2, 5, 6}), c.x("proj", {6, 6})));
  c.expect_good_gradients();
}

TEST(Gradients, of_a_classifier_loss_agree) {
  Composite c;
  Builder& b = c.b;
  const Value pooled = b.reduce_mean(c.x("x", {3, 4, 5}), {1});
  const Value logits = b.linear(pooled, c.x("head.weight", {7, 5}), c.x("head.bias", {7}));
  const std::vector<float> labels{0, 1, 0,   0, 0, 0, 0, 0, 0, 0.5, 0,
                                  0, 0, 0.5, 0, 0, 0, 0, 0, 0, 1};
  const Value target = b.cast(b.constant("target", {3, 7}, labels), DType::f64);
  b.output("loss", b.reduce_mean(b.cross_entropy(logits, target), {0}));
  c.expect_good_gradients();
}

TEST(Gradients, of_a_value_with_several_readers_are_summed) {
  Composite c;
  Builder& b = c.b;
  const Value x = c.x("x", {3});
  const Value y = b.exp(x);
  b.output("y", y * y + x * b.reshape(y, {3, 1}));
  b.output("x", x);
  c.expect_good_gradients();
}

TEST(Gradients, of_a_target_that_the_loss_does_not_depend_on_are_zeros) {
  Graph graph;
  Builder b(graph);
  const Value x = b.input("x", {DType::f64, {2}});
  const Value other = b.input("other", {DType::f64, {2, 3}});
  // floor is flat: what the loss reads only through it has no influence either.
  const Value stepped = b.input("stepped", {DType::f64, {2}});
  b.output("unread", b.exp(other));
  const Value loss = b.reduce_sum(x * x + b.floor(stepped), {0});
  const std::vector<Value> grads = gradients(b, loss, {x, other, stepped});
  for (size_t i = 0; i < 3; ++i) b.output(cat("grad", i), grads[i]);
  const Interpretation result = interpret(graph, testing::random_inputs(graph));
  for (const char* name : {"grad1", "grad2"})
    for (const double value : result.outputs.at(name).view().as<double>()) EXPECT_EQ(value, 0.0);
  EXPECT_EQ(result.outputs.at("grad1").type, other.type());
}

TEST(Gradients, carry_the_scope_of_the_node_they_belong_to) {
  Graph graph;
  Builder b(graph);
  const Value x = b.input("x", {DType::f64, {2}});
  Value y;
  {
    const Scope scope(b, "encoder");
    y = b.exp(x);
  }
  const Value loss = b.reduce_sum(y, {0});
  const Value dx = gradients(b, loss, {x})[0];
  EXPECT_EQ(dx.producer()->scope(), "grad/encoder");
  EXPECT_EQ(graph.scope, "");
}

template <typename Build>
std::string error_of(Build&& build) {
  Graph graph;
  Builder b(graph);
  return testing::error_of([&] { build(b); });
}

TEST(Gradients, name_the_node_that_has_none) {
  EXPECT_EQ(error_of([](Builder& b) {
              const Value x = b.input("x", {DType::f64, {2}});
              const Scope scope(b, "head");
              const Value y = b.emit(op_gelu_grad, {x, x}, {}, "slope");
              gradients(b, b.reduce_sum(y, {0}), {x});
            }),
            "gelu_grad %slope (head): the gradient of 'gelu_grad' is not defined, but the loss "
            "depends on it");
  EXPECT_EQ(error_of([](Builder& b) {
              const Value x = b.input("x", {DType::f64, {2, 2}});
              const Value y = b.emit(op_linear, {x, x}, {{"epilogue", "gelu"}}, "fused");
              gradients(b, b.reduce_sum(y, {0, 1}), {x});
            }),
            "linear %fused: has no gradient with epilogue gelu; differentiate before fuse_linear");
}

TEST(Gradients, want_a_loss_of_one_float) {
  EXPECT_EQ(error_of([](Builder& b) {
              const Value x = b.input("x", {DType::f64, {2}});
              gradients(b, b.exp(x), {x});
            }),
            "gradients: the loss must be one float; got f64[2]");
}

TEST(GradientCheck, finds_a_wrong_gradient) {
  // cross_entropy sends no gradient to its target, though it depends on it.
  Graph graph;
  Builder b(graph);
  const Value logits = b.input("logits", {DType::f64, {1, 3}});
  const Value target = b.input("target", {DType::f64, {1, 3}});
  b.output("loss", b.cross_entropy(logits, target));
  std::map<std::string, Buffer> inputs;
  for (const char* name : {"logits", "target"})
    inputs[name] = testing::random_input({{DType::f32, {1, 3}}}, 1, DType::f64);
  EXPECT_LE(check_gradients(graph, inputs, {"logits"}).error, kLimit);
  const GradientError worst = check_gradients(graph, inputs, {"logits", "target"});
  EXPECT_EQ(worst.target, "target");
  EXPECT_EQ(worst.error, 1.0);
}

}  // namespace
}  // namespace grimace

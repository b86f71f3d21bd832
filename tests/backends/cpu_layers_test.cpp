// softmax, layer_norm, reductions and adamw against the reference kernels where there is work for
// all threads and vectors; small shapes are the op cases'.
#include <cmath>
#include <limits>

#include "tests/backends/cpu_run.h"

namespace grimace {
namespace {

using testing::context;
using testing::expect_kernel_agrees;
using testing::NodeRun;

const Shape kRows[] = {{640, 11, 11}, {40, 800}};

TEST(CpuSoftmax, AgreesWithReference) {
  for (const Shape& shape : kRows)
    expect_kernel_agrees([&](Builder& g) { g.softmax(g.input("x", {DType::f32, shape})); });
}

TEST(CpuSoftmax, IsNotUpsetByLargeLogits) {
  expect_kernel_agrees(
      [](Builder& g) {
        g.softmax(g.input("x", {DType::f32, {3, 100}}));
      },
      1e-6,
      [](NodeRun& run) {
        for (float& x : run.inputs[0].as<float>()) x = x * 50.0f + 3000.0f;
      });
}

TEST(CpuSoftmax, MayOverwriteItsInput) {
  Graph graph;
  Builder g(graph);
  g.softmax(g.input("x", {DType::f32, {33, 101}}));
  const NodeRun run(graph);
  EXPECT_TRUE(
      testing::same_bits(run.kernel_in_place(context(2), {0})[0], run.kernel(context(2))[0]));
}

TEST(CpuSoftmax, GradientAgreesWithReference) {
  for (const Shape& shape : kRows)
    expect_kernel_agrees([&](Builder& g) {
      g.emit(op_softmax_grad,
             {g.input("y", {DType::f32, shape}), g.input("dy", {DType::f32, shape})});
    });
}

TEST(CpuLayerNorm, AgreesWithReference) {
  for (const Shape& shape : {Shape{301, 512}, Shape{40, 9, 100}})
    expect_kernel_agrees(
        [&](Builder& g) {
          const TensorType vector{DType::f32, {shape[-1]}};
          g.layer_norm(g.input("x", {DType::f32, shape}), g.input("w", vector),
                       g.input("b", vector), 1e-6);
        },
        2e-6);
}

void build_layer_norm_grad(Builder& g, const Shape& shape) {
  std::vector<int64_t> rows = shape.to_vector();
  rows.pop_back();
  const TensorType x{DType::f32, shape};
  const TensorType statistic{DType::f32, Shape(rows)};
  g.emit_all(op_layer_norm_grad,
             {g.input("dy", x), g.input("x", x), g.input("w", {DType::f32, {shape[-1]}}),
              g.input("mean", statistic), g.input("rstd", statistic)});
}

TEST(CpuLayerNorm, GradientAgreesWithReference) {
  for (const Shape& shape : {Shape{2, 65, 100}, Shape{1301, 512}})
    expect_kernel_agrees([&](Builder& g) { build_layer_norm_grad(g, shape); }, 2e-6);
}

TEST(CpuLayerNorm, GradientDoesNotDependOnTheNumberOfThreads) {
  Graph graph;
  Builder g(graph);
  build_layer_norm_grad(g, {1301, 96});
  const NodeRun run(graph);
  const std::vector<Tensor> one = run.kernel(context(1));
  const std::vector<Tensor> three = run.kernel(context(3));
  for (size_t i = 0; i < one.size(); ++i) EXPECT_TRUE(testing::same_bits(one[i], three[i]));
}

struct Reduction {
  Shape shape;
  std::vector<int64_t> axes;
};
const Reduction kReductions[] = {
    {{6464, 512}, {0}},  {{640, 512}, {1}},     {{3, 700, 300}, {0, 1}},
    {{20, 33, 65}, {1}}, {{4, 9, 512, 3}, {2}}, {{3, 40, 2, 50, 2}, {0, 2, 4}},
    {{5000, 2}, {0}},
};

TEST(CpuReduceSum, AgreesWithTheDoubleReferenceForEverySetOfAxes) {
  for (const auto& [shape, axes] : kReductions) {
    Graph graph;
    Builder g(graph);
    g.reduce_sum(g.input("x", {DType::f32, shape}), axes);
    g.reduce_sum(g.input("exact", {DType::f64, shape}), axes);
    NodeRun exact(graph);
    Graph small;
    Builder s(small);
    s.reduce_sum(s.input("x", {DType::f32, shape}), axes);
    NodeRun run(small);
    for (float& x : run.inputs[0].as<float>()) x = std::fabs(x);
    exact.inputs[0] = run.inputs[0].cast(DType::f64);
    const Tensor wanted = exact.reference()[0];
    for (const int threads : {1, 2}) {
      const Tensor got = run.kernel(context(threads))[0];
      EXPECT_LE(testing::relative_l2_error(got, wanted), 3e-7) << exact.node.in(0);
      EXPECT_TRUE(testing::same_bits(got, run.kernel(context(3))[0])) << exact.node.in(0);
    }
  }
}

TEST(CpuReduceSum, KeepsMillionsOfElementsExactToAFewUlp) {
  for (const Shape& shape : {Shape{3000001}, Shape{3000001, 1}, Shape{1000000, 3}}) {
    Graph graph;
    Builder g(graph);
    g.reduce_sum(g.input("x", {DType::f32, shape}), {0});
    NodeRun run(graph);
    double sum = 0.0;
    for (float& x : run.inputs[0].as<float>()) {
      x = 0.1f;
      sum += static_cast<double>(x);
    }
    const Tensor got = run.kernel(context(2))[0];
    const double columns = static_cast<double>(got.numel());
    for (const float value : got.as<float>())
      EXPECT_NEAR(static_cast<double>(value) / (sum / columns), 1.0, 1e-6) << shape;
  }
}

TEST(CpuGlobalNorm, OfMillionsIsExactAndTheSameOnAnyNumberOfThreads) {
  Graph graph;
  Builder g(graph);
  std::vector<Value> inputs;
  for (const int64_t count : {int64_t{3'000'000}, int64_t{5}, int64_t{70'001}})
    inputs.push_back(g.input(cat("g", count), {DType::f32, {count}}));
  g.emit(op_global_norm, inputs);
  NodeRun run(graph);
  double sum = 0.0;
  for (Tensor& input : run.inputs)
    for (const float x : input.as<float>()) sum += static_cast<double>(x) * static_cast<double>(x);
  const Tensor one = run.kernel(context(1))[0];
  EXPECT_NEAR(static_cast<double>(one.as<float>()[0]) / std::sqrt(sum), 1.0, 1e-7);
  EXPECT_TRUE(testing::same_bits(one, run.kernel(context(3))[0]));
  run.inputs[1].as<float>()[2] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_TRUE(std::isnan(run.kernel(context(2))[0].as<float>()[0]));
}

TEST(CpuAdamw, AgreesWithReferenceAndLeavesEverythingWhenNotApplied) {
  for (const bool apply : {true, false}) {
    constexpr int64_t count = 50001;
    Graph graph;
    Builder g(graph);
    const TensorType t{DType::f32, {count}};
    const TensorType scalar{DType::f32, {}};
    g.emit_all(op_adamw,
               {g.input("p", t), g.input("m", t), g.input("v", t), g.input("g", t),
                g.input("lr", scalar), g.input("wd", scalar), g.input("scale", scalar),
                g.input("step", {DType::i64, {}}), g.input("apply", {DType::boolean, {}})},
               {{"beta1", 0.9}, {"beta2", 0.95}, {"lr_scale", 0.75}});
    NodeRun run(graph);
    for (float& v : run.inputs[2].as<float>()) v = std::fabs(v);
    run.inputs[4].as<float>()[0] = 1e-3f;
    run.inputs[5].as<float>()[0] = 0.05f;
    run.inputs[6].as<float>()[0] = 0.5f;
    run.inputs[7].as<int64_t>()[0] = 3;
    run.inputs[8].as<bool>()[0] = apply;
    const std::vector<Tensor> wanted = run.reference();
    const std::vector<Tensor> got = run.kernel(context(2));
    for (size_t i = 0; i < 3; ++i) {
      EXPECT_LE(testing::relative_l2_error(got[i], wanted[i]), apply ? 2e-7 : 0.0);
      EXPECT_EQ(testing::same_bits(got[i], run.inputs[i]), !apply);
    }
    // The planner runs it in place: results 0..2 over inputs 0..2.
    const std::vector<Tensor> state = run.kernel_in_place(context(2), {0, 1, 2});
    for (size_t i = 0; i < 3; ++i) EXPECT_TRUE(testing::same_bits(state[i], got[i]));
  }
}

}  // namespace
}  // namespace grimace

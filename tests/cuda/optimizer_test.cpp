// global_norm and adamw: the op cases, more tensors than a launch has room for, and groups.
#include <cmath>
#include <limits>

#include "tests/cuda/gpu_run.h"

namespace grimace {
namespace {

using testing::GpuRun;

TEST(GpuOptimizer, AgreesOnEveryOpCase) {
  testing::expect_gpu_agrees_on_op_cases({&op_global_norm, &op_adamw});
}

GpuRun norm_run(Graph& graph, const std::vector<int64_t>& counts) {
  Builder g(graph);
  std::vector<Value> inputs;
  for (size_t i = 0; i < counts.size(); ++i)
    inputs.push_back(g.input(cat("g", i), {DType::f32, {counts[i]}}));
  g.emit(op_global_norm, inputs);
  return GpuRun(graph);
}

TEST(GpuGlobalNorm, OfHundredsOfTensorsIsExact) {
  std::vector<int64_t> counts{100'003, 16384, 16385, 0};
  for (int64_t i = 0; i < 420; ++i) counts.push_back(1 + i % 13);
  Graph graph;
  GpuRun run = norm_run(graph, counts);
  double sum = 0.0;
  for (const Tensor& input : run.inputs)
    for (const float x : input.as<float>()) sum += static_cast<double>(x) * static_cast<double>(x);
  const testing::GpuResult got = run.kernel();
  EXPECT_EQ(got.name, "global_norm of 424 tensors, 430 chunks, 4 launches");
  EXPECT_NEAR(static_cast<double>(got.out[0].as<float>()[0]) / std::sqrt(sum), 1.0, 1e-7);
}

TEST(GpuGlobalNorm, IsWhatIsNotFinite) {
  Graph graph;
  GpuRun run = norm_run(graph, {5, 70});
  run.inputs[1].as<float>()[69] = -std::numeric_limits<float>::infinity();
  EXPECT_TRUE(std::isinf(run.kernel().out[0].as<float>()[0]));
  run.inputs[0].as<float>()[2] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_TRUE(std::isnan(run.kernel().out[0].as<float>()[0]));
}

struct Step {
  int64_t number = 3;
  bool apply = true;

  void operator()(GpuRun& run) const {
    for (float& v : run.inputs[2].as<float>()) v = std::fabs(v);
    run.inputs[4].as<float>()[0] = 1e-3f;
    run.inputs[5].as<float>()[0] = 0.05f;
    run.inputs[6].as<float>()[0] = 0.5f;
    run.inputs[7].as<int64_t>()[0] = number;
    run.inputs[8].as<bool>()[0] = apply;
  }
};

void build_adamw(Builder& g, int64_t count, double beta1 = 0.9) {
  const TensorType t{DType::f32, {count}};
  const TensorType scalar{DType::f32, {}};
  g.emit_all(op_adamw,
             {g.input("p", t), g.input("m", t), g.input("v", t), g.input("g", t),
              g.input("lr", scalar), g.input("wd", scalar), g.input("scale", scalar),
              g.input("step", {DType::i64, {}}), g.input("apply", {DType::boolean, {}})},
             {{"beta1", beta1}, {"beta2", 0.95}, {"lr_scale", 0.75}});
}

TEST(GpuAdamw, AgreesAtAnyStepInPlaceAndNot) {
  for (const int64_t number : {1, 2, 50, 100'000})
    for (const std::vector<size_t>& in_place : {std::vector<size_t>{}, {0, 1, 2}})
      testing::expect_gpu_agrees([](Builder& g) { build_adamw(g, 5003); }, 2e-7,
                                 Step{.number = number, .apply = true}, in_place);
}

TEST(GpuAdamw, WithoutMomentumAgrees) {
  testing::expect_gpu_agrees([](Builder& g) { build_adamw(g, 70, 0.0); }, 2e-7, Step{});
}

TEST(GpuAdamw, LeavesEverythingWhenNotAppliedWhateverTheGradient) {
  for (const std::vector<size_t>& in_place : {std::vector<size_t>{}, {0, 1, 2}}) {
    Graph graph;
    Builder g(graph);
    build_adamw(g, 4099);
    GpuRun run(graph);
    Step{.apply = false}(run);
    run.inputs[3].as<float>()[7] = std::numeric_limits<float>::quiet_NaN();
    const auto got = run.kernel(in_place).out;
    for (size_t i = 0; i < 3; ++i) EXPECT_TRUE(testing::same_bits(got[i], run.inputs[i]));
  }
}

}  // namespace
}  // namespace grimace

// The target and the loss of masked cubes: what of the op cases is served, and the cubes of the
// models.
#include <algorithm>
#include <cmath>

#include "tests/cuda/gpu_run.h"

namespace grimace {
namespace {

using testing::BuildNode;
using testing::GpuRun;

struct Cubes {
  Shape video{2, 3, 4, 32, 48};
  int64_t tubelet = 2, patch = 16, group = 2;
  bool normalise = true;
  int64_t hidden = 5;
  DType result = DType::f32;

  std::vector<NamedAttr> attrs() const {
    return {{"tubelet", tubelet}, {"patch", patch}, {"normalise", normalise}, {"group", group}};
  }
  int64_t tokens() const { return video[2] / tubelet * (video[3] / patch) * (video[4] / patch); }
  BuildNode target() const {
    return [*this](Builder& g) {
      g.emit(op_reconstruction_target,
             {g.input("video", {DType::f32, video}),
              g.input("index", {DType::i32, {video[0], hidden}})},
             attrs());
    };
  }
  BuildNode loss() const {
    return [*this](Builder& g) {
      const std::vector<NamedAttr> with_result{{"tubelet", tubelet},
                                               {"patch", patch},
                                               {"normalise", normalise},
                                               {"group", group},
                                               {"result", result}};
      g.emit_all(op_reconstruction_loss,
                 {g.input("pred", {DType::f32, {video[0], hidden, 3 * tubelet * patch * patch}}),
                  g.input("video", {DType::f32, video}),
                  g.input("index", {DType::i32, {video[0], hidden}})},
                 with_result);
    };
  }
  // Cubes in an order of their own, the last one included.
  void pick(GpuRun& run) const {
    const auto index = run.inputs.back().as<int32_t>();
    for (size_t i = 0; i < index.size(); ++i)
      index[i] = static_cast<int32_t>((static_cast<size_t>(tokens()) - 1 + 5 * i) %
                                      static_cast<size_t>(tokens()));
  }
  void expect_agrees(double limit) const {
    testing::expect_gpu_agrees(target(), 2e-6, [this](GpuRun& run) { pick(run); });
    testing::expect_gpu_agrees(loss(), limit, [this](GpuRun& run) { pick(run); });
  }
};

TEST(GpuReconstruction, AgreesOnEveryOpCaseThatIsServed) {
  int served = 0;
  for (const testing::OpCase& op_case : testing::op_cases()) {
    if (op_case.op != &op_reconstruction_target && op_case.op != &op_reconstruction_loss) continue;
    const auto graph = build(op_case);
    const GpuRun probe(*graph);
    const int64_t group = probe.node.integer("group");
    EXPECT_EQ(cuda::has_kernel(probe.node), group <= 2) << op_case.name();
    if (!cuda::has_kernel(probe.node)) continue;
    ++served;
    GpuRun run(*graph);
    const auto inputs = random_inputs(op_case, 11);
    for (size_t i = 0; i < inputs.size(); ++i)
      run.inputs.at(i) = testing::tensor_of(inputs.at(cat("in", i)));
    const auto wanted =
        interpret(*build(op_case, DType::f64), random_inputs(op_case, 11, DType::f64)).outputs;
    const testing::GpuResult got = run.kernel();
    for (size_t i = 0; i < got.out.size(); ++i)
      EXPECT_LE(
          testing::relative_l2_error(got.out[i], testing::tensor_of(wanted.at(cat("out", i)))),
          op_case.tolerance.value)
          << op_case.name();
  }
  EXPECT_EQ(served, 19);
}

TEST(GpuReconstruction, AgreesOnCubesOfTheModels) {
  Cubes{}.expect_agrees(2e-6);
  Cubes{.normalise = false}.expect_agrees(2e-6);
  Cubes{.group = 0}.expect_agrees(2e-6);
  Cubes{.result = DType::bf16}.expect_agrees(4e-3);
  Cubes{.result = DType::f16}.expect_agrees(4e-3);
}

TEST(GpuReconstruction, AgreesOnOtherCubes) {
  Cubes{.video = {1, 3, 6, 20, 15}, .tubelet = 3, .patch = 5, .group = 3}.expect_agrees(2e-6);
  Cubes{.video = {1, 3, 4, 16, 16}, .tubelet = 4, .patch = 8, .group = 4}.expect_agrees(2e-6);
  Cubes{.video = {2, 3, 3, 16, 8}, .tubelet = 1, .patch = 8, .group = 1}.expect_agrees(2e-6);
  // 48 KiB of shared memory, and some of a kernel's own.
  Cubes{.video = {1, 3, 4, 64, 64}, .tubelet = 4, .patch = 32, .group = 4, .hidden = 3}
      .expect_agrees(4e-6);
}

TEST(GpuReconstruction, OfACubeWithoutContrastIsZero) {
  Graph graph;
  Builder g(graph);
  const Cubes cubes;
  cubes.target()(g);
  GpuRun run(graph);
  cubes.pick(run);
  for (float& v : run.inputs[0].as<float>()) v = 0.7f;
  const Tensor got = run.kernel().out[0];
  EXPECT_TRUE(std::ranges::all_of(got.as<float>(), [](float v) { return v == 0.0f; }));
}

TEST(GpuReconstruction, ReportsAnIndexOutOfRange) {
  const Cubes cubes;
  for (const int32_t bad : {-1, static_cast<int32_t>(cubes.tokens())}) {
    const auto spoil = [&](GpuRun& run) {
      cubes.pick(run);
      run.inputs.back().as<int32_t>()[3] = bad;
    };
    for (const BuildNode& build : {cubes.target(), cubes.loss()}) {
      const std::string fault = testing::gpu_fault_of(build, spoil);
      EXPECT_NE(fault.find("an index is outside 0..11"), std::string::npos) << fault;
    }
  }
}

TEST(GpuReconstruction, IsNanWhereAPredictionIs) {
  Graph graph;
  Builder g(graph);
  const Cubes cubes;
  cubes.loss()(g);
  GpuRun run(graph);
  cubes.pick(run);
  run.inputs[0].as<float>()[1536] = std::nanf("");
  const auto got = run.kernel().out;
  EXPECT_TRUE(std::isnan(got[0].as<float>()[1536]));
  EXPECT_TRUE(std::isfinite(got[0].as<float>()[1537]));
  EXPECT_TRUE(std::isnan(got[1].as<float>()[0]));
}

}  // namespace
}  // namespace grimace

// cross_entropy, mean_squared_error and the losses of masked cubes.
#include <cmath>
#include <limits>

#include "tests/cuda/exact.h"

namespace grimace {
namespace {

using testing::BuildNode;
using testing::GpuRun;

BuildNode cross_entropy_of(const TensorType& type) {
  return [=](Builder& g) { g.cross_entropy(g.input("z", type), g.input("target", type)); };
}
BuildNode squared_error_of(const TensorType& type) {
  return [=](Builder& g) {
    g.emit(op_mean_squared_error, {g.input("pred", type), g.input("target", type)});
  };
}

TEST(GpuLosses, AgreeOnEveryOpCase) {
  testing::expect_gpu_agrees_on_op_cases({&op_cross_entropy, &op_mean_squared_error});
}

TEST(GpuCrossEntropy, AgreesOnLabelsThatAreHardAndSoft) {
  for (const Shape& shape : {Shape{64, 7}, Shape{5, 11}, Shape{3, 101}}) {
    const TensorType type{DType::f32, shape};
    testing::expect_gpu_agrees(cross_entropy_of(type), 2e-6);
    testing::expect_gpu_agrees(cross_entropy_of(type), 1e-6, [&](GpuRun& run) {
      const auto target = run.inputs[1].as<float>();
      for (size_t i = 0; i < target.size(); ++i)
        target[i] = i % static_cast<size_t>(shape[1]) == 2 ? 1.0f : 0.0f;
    });
  }
  testing::expect_gpu_agrees(cross_entropy_of({DType::bf16, {9, 7}}), 4e-3);
}

TEST(GpuCrossEntropy, OfLargeLogitsIsFinite) {
  testing::expect_gpu_agrees(cross_entropy_of({DType::f32, {4, 7}}), 1e-6, [](GpuRun& run) {
    for (float& z : run.inputs[0].as<float>()) z *= 300.0f;
  });
}

TEST(GpuCrossEntropy, KeepsNanInItsRow) {
  Graph graph;
  Builder g(graph);
  cross_entropy_of({DType::f32, {3, 7}})(g);
  GpuRun run(graph);
  run.inputs[0].as<float>()[8] = std::numeric_limits<float>::quiet_NaN();
  const Tensor got = run.kernel().out[0];
  EXPECT_TRUE(std::isfinite(got.as<float>()[0]));
  EXPECT_TRUE(std::isnan(got.as<float>()[1]));
}

TEST(GpuMeanSquaredError, AgreesOnAnySize) {
  for (const auto& [dtype, limit] :
       {std::pair{DType::f32, 2e-7}, {DType::bf16, 4e-3}, {DType::f16, 5e-4}})
    for (const Shape& shape : {Shape{3, 1536}, Shape{2, 90, 257}, Shape{1001}, Shape{4, 2}})
      testing::expect_gpu_is_exact(squared_error_of({dtype, shape}),
                                   squared_error_of({DType::f64, shape}), limit);
}

TEST(GpuMeanSquaredError, IsNanWhereAPredictionIs) {
  Graph graph;
  Builder g(graph);
  squared_error_of({DType::f32, {3, 64}})(g);
  GpuRun run(graph);
  run.inputs[0].as<float>()[77] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_TRUE(std::isnan(run.kernel().out[0].as<float>()[0]));
}

}  // namespace
}  // namespace grimace

// layer_norm and its gradients: the op cases, the widths of the models and those without a place in
// registers.
#include <cmath>
#include <limits>

#include "tests/cuda/exact.h"

namespace grimace {
namespace {

using testing::BuildNode;
using testing::GpuRun;

// All widths in registers, then those that are not.
const Shape kRows[] = {{37, 64}, {9, 100},    {2, 11, 128}, {5, 132}, {35, 384},
                       {9, 512}, {3, 3, 768}, {5, 1024},    {7, 97},  {3, 1028}};

BuildNode layer_norm_of(DType x, DType y, const Shape& shape) {
  return [=](Builder& g) {
    const TensorType vector{x, {shape[-1]}};
    g.emit_all(op_layer_norm,
               {g.input("x", {x, shape}), g.input("w", vector), g.input("b", vector)},
               {{"eps", 1e-6}, {"result", y}});
  };
}

// x of f32, or of f64.
BuildNode layer_norm_grad_of(DType dy, const Shape& shape, bool residual, DType real = DType::f32) {
  return [=](Builder& g) {
    std::vector<int64_t> rows = shape.to_vector();
    rows.pop_back();
    const TensorType x{real, shape};
    const TensorType statistic{real, Shape(rows)};
    std::vector<Value> inputs{g.input("dy", {dy, shape}), g.input("x", x),
                              g.input("w", {real, {shape[-1]}}), g.input("mean", statistic),
                              g.input("rstd", statistic)};
    if (residual) inputs.push_back(g.input("residual", x));
    g.emit_all(op_layer_norm_grad, inputs);
  };
}

std::string expect_exact(DType y, const Shape& shape, double limit,
                         const testing::PrepareRun& prepare = {}) {
  return testing::expect_gpu_is_exact(layer_norm_of(DType::f32, y, shape),
                                      layer_norm_of(DType::f64, DType::f32, shape), limit, prepare);
}
std::string expect_exact_grad(DType dy, const Shape& shape, bool residual) {
  return testing::expect_gpu_is_exact(layer_norm_grad_of(dy, shape, residual),
                                      layer_norm_grad_of(DType::f64, shape, residual, DType::f64),
                                      5e-7);
}

TEST(GpuLayerNorm, AgreesOnEveryOpCase) {
  testing::expect_gpu_agrees_on_op_cases({&op_layer_norm, &op_layer_norm_grad});
}

TEST(GpuLayerNorm, AgreesOnRowsOfAnyWidth) {
  for (const Shape& shape : kRows) expect_exact(DType::f32, shape, 5e-7);
}

TEST(GpuLayerNorm, RoundsItsResultOnce) {
  for (const auto& [dtype, limit] : {std::pair{DType::bf16, 4e-3}, {DType::f16, 5e-4}})
    for (const Shape& shape : {Shape{9, 512}, Shape{5, 97}}) expect_exact(dtype, shape, limit);
}

TEST(GpuLayerNorm, AgreesOn16BitRows) {
  for (const DType dtype : {DType::bf16, DType::f16})
    testing::expect_gpu_agrees(layer_norm_of(dtype, DType::f32, {5, 96}), 4e-3);
}

TEST(GpuLayerNorm, TakesTheSquaresAboutTheMean) {
  // A rounding of the mean, 6e-5, is most of the error: E[x^2] - mean^2 would be off by 0.1.
  expect_exact(DType::f32, {3, 512}, 1e-4, [](GpuRun& run) {
    for (float& x : run.inputs[0].as<float>()) x += 1000.0f;
  });
}

// More rows than warps of the grid, so that a warp has several.
TEST(GpuLayerNorm, OfManyRowsAgrees) {
  EXPECT_EQ(expect_exact(DType::bf16, {4500, 64}, 4e-3),
            "layer_norm f32 to bf16, rows of 64, in registers, grid 528, 256 threads");
}

TEST(GpuLayerNorm, KeepsNanInItsRow) {
  for (const int64_t cols : {64, 97}) {
    Graph graph;
    Builder g(graph);
    layer_norm_of(DType::f32, DType::f32, {3, cols})(g);
    GpuRun run(graph);
    run.inputs[0].as<float>()[static_cast<size_t>(cols) + 1] =
        std::numeric_limits<float>::quiet_NaN();
    const auto got = run.kernel().out;
    for (int64_t i = 0; i < 3 * cols; ++i)
      EXPECT_EQ(std::isnan(got[0].as<float>()[static_cast<size_t>(i)]), i / cols == 1);
    EXPECT_TRUE(std::isnan(got[1].as<float>()[1]));
    EXPECT_TRUE(std::isfinite(got[1].as<float>()[2]));
  }
}

TEST(GpuLayerNormGrad, AgreesOnRowsOfAnyWidth) {
  for (const Shape& shape : kRows)
    for (const bool residual : {false, true}) expect_exact_grad(DType::f32, shape, residual);
}

TEST(GpuLayerNormGrad, Reads16BitGradients) {
  for (const DType dtype : {DType::bf16, DType::f16})
    for (const Shape& shape : {Shape{9, 512}, Shape{5, 97}}) expect_exact_grad(dtype, shape, true);
}

TEST(GpuLayerNormGrad, OfManyRowsAgrees) {
  EXPECT_EQ(expect_exact_grad(DType::bf16, {4500, 64}, true),
            "layer_norm_grad bf16, rows of 64, residual, in registers, 528 shares");
  EXPECT_EQ(expect_exact_grad(DType::f32, {700, 9}, false),
            "layer_norm_grad f32, rows of 9, in passes, 11 shares");
}

}  // namespace
}  // namespace grimace

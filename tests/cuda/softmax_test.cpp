// softmax and its gradient: the op cases, and rows of every length that has a kernel of its own.
#include <cmath>
#include <limits>

#include "tests/cuda/gpu_run.h"

namespace grimace {
namespace {

using testing::GpuRun;

const Shape kRows[] = {{37, 1},  {50, 7},  {3, 2, 11, 16}, {9, 31},   {5, 33},
                       {3, 101}, {4, 384}, {3, 800},       {2, 1024}, {2, 1500}};

testing::BuildNode softmax_of(const TensorType& type) {
  return [=](Builder& g) { g.softmax(g.input("x", type)); };
}
testing::BuildNode softmax_grad_of(const TensorType& type) {
  return [=](Builder& g) { g.emit(op_softmax_grad, {g.input("y", type), g.input("dy", type)}); };
}

TEST(GpuSoftmax, AgreesOnEveryOpCase) {
  testing::expect_gpu_agrees_on_op_cases({&op_softmax, &op_softmax_grad});
}

TEST(GpuSoftmax, AgreesOnRowsOfAnyLength) {
  for (const Shape& shape : kRows) {
    testing::expect_gpu_agrees(softmax_of({DType::f32, shape}));
    testing::expect_gpu_agrees(softmax_grad_of({DType::f32, shape}), 2e-6);
  }
}

TEST(GpuSoftmax, RoundsOnceIn16Bits) {
  for (const auto& [dtype, limit] : {std::pair{DType::bf16, 4e-3}, {DType::f16, 5e-4}})
    for (const Shape& shape : {Shape{9, 11}, Shape{3, 101}, Shape{2, 1500}}) {
      testing::expect_gpu_agrees(softmax_of({dtype, shape}), limit);
      testing::expect_gpu_agrees(softmax_grad_of({dtype, shape}), limit);
    }
}

TEST(GpuSoftmax, MayOverwriteItsInputs) {
  for (const Shape& shape : {Shape{9, 11}, Shape{3, 101}, Shape{2, 1500}}) {
    testing::expect_gpu_agrees_in_place(softmax_of({DType::f32, shape}), {0});
    testing::expect_gpu_agrees_in_place(softmax_grad_of({DType::f32, shape}), {0}, 2e-6);
    testing::expect_gpu_agrees_in_place(softmax_grad_of({DType::f32, shape}), {1}, 2e-6);
  }
}

TEST(GpuSoftmax, IsNotUpsetByLargeLogits) {
  testing::expect_gpu_agrees(softmax_of({DType::f32, {3, 100}}), 1e-6, [](GpuRun& run) {
    for (float& x : run.inputs[0].as<float>()) x = x * 50.0f + 3000.0f;
  });
}

// -inf is a weight of zero; NaN, inf and a row of -inf make NaNs of their rows alone.
TEST(GpuSoftmax, KeepsWhatIsNotFiniteInItsRow) {
  const float infinity = std::numeric_limits<float>::infinity();
  for (const int64_t cols : {5, 40, 1100}) {
    Graph graph;
    Builder g(graph);
    softmax_of({DType::f32, {5, cols}})(g);
    GpuRun run(graph);
    const auto x = run.inputs[0].as<float>();
    const auto row = [&](int64_t r) { return x.subspan(static_cast<size_t>(r * cols)); };
    row(0)[1] = -infinity;
    row(1)[2] = std::numeric_limits<float>::quiet_NaN();
    row(2)[0] = infinity;
    std::ranges::fill(row(3).first(static_cast<size_t>(cols)), -infinity);
    const Tensor got = run.kernel().out[0];
    const Tensor wanted = run.reference()[0];
    EXPECT_EQ(got.as<float>()[1], 0.0f);
    for (size_t i = 0; i < x.size(); ++i)
      EXPECT_EQ(std::isnan(got.as<float>()[i]), std::isnan(wanted.as<float>()[i])) << i;
  }
}

TEST(GpuSoftmax, SharesAWarpAmongShortRows) {
  EXPECT_EQ(testing::expect_gpu_agrees(softmax_of({DType::f32, {96, 7}})),
            "softmax f32, rows of 7, in registers, grid 3, 256 threads");
  EXPECT_EQ(testing::expect_gpu_agrees(softmax_of({DType::f32, {2, 1025}})),
            "softmax f32, rows of 1025, in passes, grid 2, 256 threads");
}

}  // namespace
}  // namespace grimace

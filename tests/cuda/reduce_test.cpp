// reduce_sum: the op cases, and shapes of training for every way in which a sum is split.
#include <cmath>
#include <limits>

#include "tests/cuda/exact.h"

namespace grimace {
namespace {

using testing::GpuResult;
using testing::GpuRun;

TEST(GpuReduceSum, AgreesOnEveryOpCase) {
  testing::expect_gpu_agrees_on_op_cases({&op_reduce_sum});
}

// Of |x|, so that the limit is one of rounding and not of cancellation. The name of the kernel.
std::string expect_exact_sum(const TensorType& type, const std::vector<int64_t>& axes) {
  const auto sum_of = [&](DType dtype) {
    return [=, shape = type.shape](Builder& g) {
      g.reduce_sum(g.input("x", {dtype, shape}), axes);
    };
  };
  return testing::expect_gpu_is_exact(sum_of(type.dtype), sum_of(DType::f64), 4e-7,
                                      [](GpuRun& run) {
                                        Tensor x = run.inputs[0].cast(DType::f32);
                                        for (float& v : x.as<float>()) v = std::fabs(v);
                                        run.inputs[0] = x.cast(run.inputs[0].dtype());
                                      });
}

TEST(GpuReduceSum, OfColumnsIsExactForBiasGradients) {
  for (const DType dtype : {DType::f32, DType::bf16, DType::f16})
    for (const Shape& shape : {Shape{808, 512}, Shape{3232, 384}, Shape{1500, 36}, Shape{2051, 7},
                               Shape{64, 7}, Shape{5000, 2}, Shape{1, 512}})
      expect_exact_sum({dtype, shape}, {0});
}

TEST(GpuReduceSum, OfRowsIsExact) {
  for (const DType dtype : {DType::f32, DType::bf16})
    for (const Shape& shape :
         {Shape{33, 512}, Shape{70, 3}, Shape{5, 1027}, Shape{3, 5000}, Shape{2, 8192}})
      expect_exact_sum({dtype, shape}, {1});
}

TEST(GpuReduceSum, OfAnyAxesIsExact) {
  struct Row {
    Shape shape;
    std::vector<int64_t> axes;
  };
  for (const Row& row : {Row{{3, 700, 300}, {0, 1}}, Row{{20, 33, 65}, {1}},
                         Row{{4, 9, 512, 3}, {2}}, Row{{3, 40, 2, 50, 2}, {0, 2, 4}},
                         Row{{7, 8, 64}, {0}}, Row{{2, 1, 40, 1}, {1, 3}}, Row{{2, 30, 40}, {}}}) {
    expect_exact_sum({DType::f32, row.shape}, row.axes);
    expect_exact_sum({DType::bf16, row.shape}, row.axes);
  }
}

TEST(GpuReduceSum, OfNothingIsZero) {
  for (const auto& axes : {std::vector<int64_t>{1}, {1, 3}, {0, 1, 2, 3}})
    testing::expect_gpu_agrees(
        [&](Builder& g) {
          g.reduce_sum(g.input("x", {DType::f32, {2, 0, 3, 2}}), axes);
        },
        0.0);
}

TEST(GpuReduceSum, OfEverythingIsExactInTwoPasses) {
  EXPECT_EQ(expect_exact_sum({DType::f32, {131, 33, 29}}, {0, 1, 2}),
            "reduce_sum f32, 1x125367x1 in 31 parts, then 1x31x1");
}

TEST(GpuReduceSum, OfManyRowsIsSplitToFillTheDevice) {
  EXPECT_EQ(expect_exact_sum({DType::bf16, {4100, 64}}, {0}),
            "reduce_sum bf16, 1x4100x64 in 17 parts, then 1x17x64");
}

TEST(GpuReduceSum, PassesOnWhatIsNotFinite) {
  Graph graph;
  Builder g(graph);
  g.reduce_sum(g.input("x", {DType::f32, {5, 8}}), {0});
  GpuRun run(graph);
  run.inputs[0].as<float>()[3] = std::numeric_limits<float>::infinity();
  run.inputs[0].as<float>()[12] = std::numeric_limits<float>::quiet_NaN();
  const GpuResult got = run.kernel();
  EXPECT_TRUE(std::isinf(got.out[0].as<float>()[3]));
  EXPECT_TRUE(std::isnan(got.out[0].as<float>()[4]));
  EXPECT_TRUE(std::isfinite(got.out[0].as<float>()[5]));
}

}  // namespace
}  // namespace grimace

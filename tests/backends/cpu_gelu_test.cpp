// The approximations behind exp, erf and gelu, measured against the C library in double.
#include <cmath>

#include "backends/cpu/vector_math.h"
#include "tests/backends/cpu_run.h"

namespace grimace {
namespace {

using cpu::Isa;

// The largest |got - wanted| / ulp(wanted) for `op` over x = first, first + step, ...
double worst_ulp(const OpDef& op, Isa isa, double first, double last, double (*exact)(double)) {
  constexpr int64_t kCount = 400001;
  Graph graph;
  Builder g(graph);
  g.emit(op, {g.input("x", {DType::f32, {kCount}})});
  testing::NodeRun run(graph);
  const auto x = run.inputs[0].as<float>();
  for (size_t i = 0; i < x.size(); ++i)
    x[i] = static_cast<float>(first + (last - first) * static_cast<double>(i) / (kCount - 1));
  const Tensor y = run.kernel(testing::context(1, isa))[0];
  double worst = 0.0;
  for (size_t i = 0; i < x.size(); ++i) {
    const double wanted = exact(static_cast<double>(x[i]));
    const auto rounded = std::fabs(static_cast<float>(wanted));
    const double ulp = static_cast<double>(std::nextafter(rounded, INFINITY) - rounded);
    worst = std::max(worst, std::fabs(static_cast<double>(y.as<float>()[i]) - wanted) / ulp);
  }
  return worst;
}

class CpuApproximation : public ::testing::TestWithParam<Isa> {
  void SetUp() override {
    if (!runs_here(GetParam())) GTEST_SKIP() << "this machine lacks " << name_of(GetParam());
  }
};
INSTANTIATE_TEST_SUITE_P(, CpuApproximation, ::testing::Values(Isa::sse2, Isa::avx2, Isa::avx512),
                         testing::isa_test_name);

TEST_P(CpuApproximation, ErfIsWithinTwoUlp) {
  const double near = worst_ulp(op_erf, GetParam(), -1.0, 1.0, std::erf);
  const double far = worst_ulp(op_erf, GetParam(), -6.0, 6.0, std::erf);
  RecordProperty("ulp", std::to_string(std::max(near, far)));
  EXPECT_LE(near, 2.0);
  EXPECT_LE(far, 2.0);
}

TEST_P(CpuApproximation, ExpIsWithinTwoUlpDenormalsIncluded) {
  EXPECT_LE(worst_ulp(op_exp, GetParam(), -1.0, 1.0, std::exp), 2.0);
  EXPECT_LE(worst_ulp(op_exp, GetParam(), -103.0, 88.7, std::exp), 2.0);
}

TEST_P(CpuApproximation, ExpOverflowsUnderflowsAndKeepsNan) {
  Graph graph;
  Builder g(graph);
  g.exp(g.input("x", {DType::f32, {5}}));
  testing::NodeRun run(graph);
  run.inputs[0] = Tensor::from<float>(
      {5}, std::vector<float>{88.8f, INFINITY, -104.0f, -INFINITY, std::nanf("")});
  const Tensor y = run.kernel(testing::context(1, GetParam()))[0];
  const auto got = y.as<float>();
  EXPECT_EQ(got[0], INFINITY);
  EXPECT_EQ(got[1], INFINITY);
  EXPECT_EQ(got[2], 0.0f);
  EXPECT_EQ(got[3], 0.0f);
  EXPECT_TRUE(std::isnan(got[4]));
}

TEST_P(CpuApproximation, GeluAndItsGradientAreCloserThanRoundingToTheDoubleFormula) {
  Graph graph;
  Builder g(graph);
  const TensorType type{DType::f32, {100001}};
  const Value x = g.input("x", type);
  g.gelu(x);
  testing::NodeRun forward(graph);
  g.emit(op_gelu_grad, {x, g.input("dy", type)});
  testing::NodeRun backward(graph);
  Tensor y(DType::f64, type.shape);
  Tensor dx(DType::f64, type.shape);
  for (size_t i = 0; i < 100001; ++i) {
    const double v = -8.0 + 16.0 * static_cast<double>(i) / 100000.0;
    forward.inputs[0].as<float>()[i] = backward.inputs[0].as<float>()[i] = static_cast<float>(v);
    const double exact = static_cast<double>(static_cast<float>(v));
    const double cdf = 0.5 * std::erfc(-exact / std::sqrt(2.0));
    const double pdf = std::exp(-0.5 * exact * exact) / std::sqrt(2.0 * M_PI);
    y.as<double>()[i] = exact * cdf;
    dx.as<double>()[i] =
        static_cast<double>(backward.inputs[1].as<float>()[i]) * (cdf + exact * pdf);
  }
  const cpu::Context cpu = testing::context(1, GetParam());
  EXPECT_LE(testing::relative_error(forward.kernel(cpu)[0], y), 6e-8);
  EXPECT_LE(testing::relative_error(backward.kernel(cpu)[0], dx), 1.2e-7);
}

TEST(CpuGelu, GradientAgreesWithReference) {
  const TensorType type{DType::f32, {3, 20011}};
  testing::expect_kernel_agrees([&](Builder& g) {
    g.emit(op_gelu_grad, {g.input("x", type), g.input("dy", type)});
  });
}

}  // namespace
}  // namespace grimace

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
  EXPECT_LE(testing::relative_l2_error(forward.kernel(cpu)[0], y), 6e-8);
  EXPECT_LE(testing::relative_l2_error(backward.kernel(cpu)[0], dx), 1.2e-7);
}

struct Exact {
  explicit Exact(double x)
      : cdf(0.5 * std::erfc(-x / std::sqrt(2.0))),
        gelu(x * cdf),
        slope(cdf + x * std::exp(-0.5 * x * x) / std::sqrt(2.0 * M_PI)) {}
  double cdf, gelu, slope;
};

// Every bf16, in the order of its bits.
std::vector<bf16> every_bf16() {
  std::vector<bf16> all(1 << 16);
  for (size_t i = 0; i < all.size(); ++i) all[i].bits = static_cast<uint16_t>(i);
  return all;
}

constexpr double kLeast = 1.2e-38;  // denormals may become zeros

TEST(CpuGelu, CoarseFormsAreFarInsideARoundingForEveryBf16) {
  for (const bf16 element : every_bf16()) {
    const float x = static_cast<float>(element);
    if (!std::isfinite(x)) continue;
    const Exact exact(x);
    const double gelu = static_cast<double>(cpu::coarse_gelu(x)) - exact.gelu;
    const double slope = static_cast<double>(cpu::coarse_gelu_slope(x)) - exact.slope;
    ASSERT_LE(std::fabs(gelu), x < -9.0f ? 2e-18 : 8e-5 * std::fabs(exact.gelu) + kLeast) << x;
    ASSERT_LE(std::fabs(slope), 5e-5) << x;
    if (-8.0f <= x && x <= -1.5f) {
      ASSERT_LE(std::fabs(slope), 1.2e-4 * std::fabs(exact.slope)) << x;
    }
  }
}

double half_unit(double x) {
  return x == 0.0 ? 0.0 : std::ldexp(1.0, std::ilogb(x) - 8);
}

// `op` of every bf16 (and of ones) against `exact`, within half a unit and `rest`.
void expect_one_rounding(const OpDef& op, double Exact::*exact, double rest) {
  Graph graph;
  Builder g(graph);
  const TensorType type{DType::bf16, {1 << 16}};
  std::vector<Value> inputs{g.input("x", type)};
  if (&op == &op_gelu_grad) inputs.push_back(g.input("dy", type));
  g.emit(op, inputs);
  testing::NodeRun run(graph);
  const std::vector<bf16> all = every_bf16();
  std::ranges::copy(all, run.inputs[0].as<bf16>().begin());
  if (run.inputs.size() == 2) std::ranges::fill(run.inputs[1].as<bf16>(), bf16(1.0f));
  for (const Isa isa : {Isa::sse2, Isa::avx2, Isa::avx512}) {
    if (!runs_here(isa)) continue;
    const Tensor y = run.kernel(testing::context(2, isa))[0];
    for (size_t i = 0; i < all.size(); ++i) {
      const auto x = static_cast<double>(static_cast<float>(all[i]));
      const auto got = static_cast<double>(static_cast<float>(y.as<bf16>()[i]));
      const double wanted = Exact(x).*exact;
      SCOPED_TRACE(cat(x, " on ", name_of(isa)));
      if (std::isnan(x)) {
        ASSERT_TRUE(std::isnan(got));
      }
      if (std::isfinite(x)) {
        ASSERT_LE(std::fabs(got - wanted), half_unit(wanted) + rest);
      }
    }
  }
}

TEST(CpuGelu, CoarseFormsHaveTheirLimitsAtInfinity) {
  EXPECT_EQ(cpu::coarse_gelu(INFINITY), INFINITY);
  EXPECT_EQ(cpu::coarse_gelu_slope(INFINITY), 1.0f);
  EXPECT_EQ(cpu::coarse_gelu_slope(-INFINITY), 0.0f);
}

TEST(CpuGelu, OfEveryBf16IsOneRoundingOff) {
  expect_one_rounding(op_gelu, &Exact::gelu, 1e-5);
}

TEST(CpuGelu, SlopeOfEveryBf16IsOneRoundingOff) {
  expect_one_rounding(op_gelu_grad, &Exact::slope, 5e-5);
}

TEST(CpuGelu, GradientAgreesWithReference) {
  const TensorType type{DType::f32, {3, 20011}};
  testing::expect_kernel_agrees([&](Builder& g) {
    g.emit(op_gelu_grad, {g.input("x", type), g.input("dy", type)});
  });
}

}  // namespace
}  // namespace grimace

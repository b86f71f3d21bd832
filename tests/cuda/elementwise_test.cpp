// Elementwise kernels on every way through a tensor: flat, along rows, by single elements, in
// place, longer than the grid. Where each element is rounded once the results must be equal.
#include <gmock/gmock.h>

#include <limits>

#include "tests/cuda/gpu_run.h"

namespace grimace {
namespace {

using testing::expect_gpu_agrees;
using testing::expect_gpu_agrees_in_place;
using testing::GpuRun;
using ::testing::HasSubstr;

constexpr const OpDef* kBinary[] = {&op_add,     &op_sub,     &op_mul, &op_div,
                                    &op_maximum, &op_minimum, &op_less};
constexpr DType kNumbers[] = {DType::f32, DType::bf16, DType::f16, DType::i32, DType::i64};
constexpr DType kElements[] = {DType::f32, DType::bf16, DType::f16,    DType::i32,
                               DType::i64, DType::u8,   DType::boolean};

testing::BuildNode binary(const OpDef& op, DType dtype, const Shape& a, const Shape& b) {
  return [&op, dtype, a, b](Builder& g) {
    g.emit(op, {g.input("a", {dtype, a}), g.input("b", {dtype, b})});
  };
}
// Grids of one multiprocessor: threads loop over more than they have.
void on_a_small_gpu(GpuRun& run) {
  run.context.properties.multiprocessors = 1;
}

TEST(CudaElementwise, OpCasesAgree) {
  testing::expect_gpu_agrees_on_op_cases(
      {&op_neg,  &op_exp,     &op_log,     &op_sqrt,   &op_rsqrt,       &op_erf,      &op_floor,
       &op_add,  &op_sub,     &op_mul,     &op_div,    &op_is_finite,   &op_cast,     &op_gelu,
       &op_less, &op_maximum, &op_minimum, &op_select, &op_logical_and, &op_gelu_grad});
}

TEST(CudaElementwise, NumbersBroadcastInEveryTypeBitForBit) {
  const std::pair<Shape, Shape> shapes[] = {
      {{3, 1013}, {3, 1013}},        // flat, with an odd tail
      {{1, 5}, {5}},                 // less than a vector
      {{37, 64}, {64}},              // rows of whole vectors
      {{64}, {37, 64}},              //
      {{37, 65}, {65}},              // of single elements
      {{37, 64}, {37, 1}},           // one value a row
      {{37, 65}, {37, 1}},           //
      {{2011}, {}},                  // one value
      {{}, {2011}},                  //
      {{5, 1, 32}, {1, 7, 1}},       // both repeated
      {{2, 1, 5, 1}, {1, 3, 1, 7}},  //
      {{2, 3, 1, 2, 1, 4, 1, 16}, {1, 2, 1, 3, 1, 2, 1}},
  };
  for (const OpDef* op : kBinary)
    for (const DType dtype : kNumbers)
      for (const auto& [a, b] : shapes)
        if (op != &op_div || is_float(dtype)) expect_gpu_agrees(binary(*op, dtype, a, b), 0.0);
}

TEST(CudaElementwise, TheWidestAccessFits) {
  const auto name = [](DType dtype, const Shape& a, const Shape& b) {
    return expect_gpu_agrees(binary(op_add, dtype, a, b), 0.0);
  };
  EXPECT_THAT(name(DType::f32, {3, 5}, {3, 5}), HasSubstr("add f32, flat, 4 wide"));
  EXPECT_THAT(name(DType::bf16, {3, 5}, {3, 5}), HasSubstr("flat, 8 wide"));
  EXPECT_THAT(name(DType::i64, {3, 5}, {}), HasSubstr("flat, 2 wide"));
  EXPECT_THAT(name(DType::f32, {3, 8}, {8}), HasSubstr("rank 2, 4 wide"));
  EXPECT_THAT(name(DType::bf16, {3, 8}, {3, 1}), HasSubstr("rank 2, 8 wide"));
  EXPECT_THAT(name(DType::bf16, {3, 12}, {12}), HasSubstr("rank 2, 1 wide"));
  EXPECT_THAT(name(DType::f32, {2, 1, 8, 4}, {2, 5, 1, 4}), HasSubstr("rank 4, 4 wide"));
}

TEST(CudaElementwise, MoreThanTheGridIsLoopedOver) {
  for (const auto& [a, b] :
       {std::pair<Shape, Shape>{{300007}, {300007}}, {{301, 516}, {516}}, {{301, 517}, {301, 1}}})
    for (const DType dtype : {DType::f32, DType::bf16})
      EXPECT_THAT(expect_gpu_agrees(binary(op_mul, dtype, a, b), 0.0, on_a_small_gpu),
                  HasSubstr("grid 32,"));
}

TEST(CudaElementwise, AnyOperandOfTheResultsTypeMayBeOverwritten) {
  for (const auto& [a, b, over] : {std::tuple<Shape, Shape, size_t>{{3, 1013}, {3, 1013}, 0},
                                   {{3, 1013}, {3, 1013}, 1},
                                   {{37, 64}, {64}, 0},
                                   {{37, 1}, {37, 64}, 1},
                                   {{37, 65}, {65}, 0}})
    for (const DType dtype : kNumbers)
      expect_gpu_agrees_in_place(binary(op_sub, dtype, a, b), {over}, 0.0);
  const Shape shape{3, 1013};
  for (const size_t over : {1u, 2u})
    expect_gpu_agrees_in_place(
        [&](Builder& g) {
          g.select(g.input("c", {DType::boolean, {1013}}), g.input("a", {DType::f32, shape}),
                   g.input("b", {DType::f32, shape}));
        },
        {over}, 0.0);
  expect_gpu_agrees_in_place(
      [&](Builder& g) {
        g.floor(g.input("x", {DType::f32, shape}));
      },
      {0}, 0.0);
  for (const size_t over : {0u, 1u})
    expect_gpu_agrees_in_place(
        [&](Builder& g) {
          g.emit(op_gelu_grad,
                 {g.input("x", {DType::f32, shape}), g.input("dy", {DType::f32, shape})});
        },
        {over});
}

TEST(CudaElementwise, SelectMovesEveryType) {
  for (const DType dtype : kElements)
    for (const auto& [condition, a, b] :
         {std::tuple<Shape, Shape, Shape>{{3, 67}, {3, 67}, {3, 67}},
          {{}, {3, 67}, {67}},
          {{5, 1}, {64}, {}},
          {{5, 64}, {5, 1}, {64}}})
      expect_gpu_agrees(
          [&](Builder& g) {
            g.select(g.input("c", {DType::boolean, condition}), g.input("a", {dtype, a}),
                     g.input("b", {dtype, b}));
          },
          0.0);
}

TEST(CudaElementwise, EveryTypeCastsToEveryTypeBitForBit) {
  for (const DType from : kElements)
    for (const DType to : kElements)
      expect_gpu_agrees(
          [&](Builder& g) {
            g.emit(op_cast, {g.input("x", {from, {5, 53}})}, {{"to", to}});
          },
          0.0,
          [&](GpuRun& run) {
            Tensor values = run.inputs[0].cast(DType::f32);
            // Unsigned results of negative floats are undefined.
            const float sign = to == DType::u8 ? 1.0f : -1.0f;
            for (size_t i = 0; i < 265; ++i)
              values.as<float>()[i] =
                  (i % 3 == 0 ? sign : 1.0f) * std::fabs(values.as<float>()[i]) * 40.0f;
            run.inputs[0] = values.cast(from);
          });
}

TEST(CudaElementwise, CastsOfFloatsKeepInfinitiesAndRoundToEven) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  const std::vector<float> values{kInfinity,       -kInfinity, 1.0f + 0x1p-8f, 1.0f + 3 * 0x1p-8f,
                                  1.0f + 0x1p-11f, 65519.0f,   65520.0f,       -0.0f,
                                  0x1p-24f,        1e-40f};
  const Shape shape{static_cast<int64_t>(values.size())};
  for (const DType to : {DType::bf16, DType::f16}) {
    Graph graph;
    Builder g(graph);
    g.cast(g.input("x", {DType::f32, shape}), to);
    GpuRun run(graph);
    run.inputs[0] = Tensor::from<float>(shape, values);
    EXPECT_TRUE(testing::same_bits(run.kernel().out[0], run.reference()[0]));
  }
}

TEST(CudaElementwise, NanIsTreatedAsTheReferenceTreatsIt) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  for (const OpDef* op : {&op_maximum, &op_minimum, &op_less}) {
    Graph graph;
    Builder g(graph);
    binary(*op, DType::f32, {4}, {4})(g);
    GpuRun run(graph);
    run.inputs[0] = Tensor::from<float>({4}, std::vector<float>{nan, 1.0f, nan, 2.0f});
    run.inputs[1] = Tensor::from<float>({4}, std::vector<float>{1.0f, nan, nan, 2.0f});
    EXPECT_TRUE(testing::same_bits(run.kernel().out[0], run.reference()[0])) << op->name;
  }
}

TEST(CudaElementwise, IsFiniteSeesInfinitiesAndNanInEveryFloat) {
  const std::vector<float> values{1.0f, std::numeric_limits<float>::infinity(),
                                  -std::numeric_limits<float>::infinity(), std::nanf(""), 65504.0f};
  for (const DType dtype : {DType::f32, DType::bf16, DType::f16})
    expect_gpu_agrees(
        [&](Builder& g) {
          g.is_finite(g.input("x", {dtype, {5}}));
        },
        0.0, [&](GpuRun& run) { run.inputs[0] = Tensor::from<float>({5}, values).cast(dtype); });
}

TEST(CudaElementwise, FunctionsOf16BitFloatsAreWithinOneRounding) {
  for (const DType dtype : {DType::bf16, DType::f16})
    for (const OpDef* op : {&op_neg, &op_exp, &op_erf, &op_floor, &op_gelu})
      expect_gpu_agrees(
          [&](Builder& g) {
            g.emit(*op, {g.input("x", {dtype, {3, 41}})});
          },
          dtype == DType::bf16 ? 1e-3 : 1e-4);
}

// How far gelu, or its gradient where dy = 1, is from the formula in double over every bf16 between
// -40 and 40: in units of the last place of bf16, beyond an absolute error of `floor`.
double worst_unit(const OpDef& op, double floor, double (*exact)(double)) {
  std::vector<float> values;
  for (int bits = 0; bits < 1 << 16; ++bits) {
    bf16 value;
    value.bits = static_cast<uint16_t>(bits);
    if (std::fabs(static_cast<float>(value)) < 40.0f) values.push_back(static_cast<float>(value));
  }
  const TensorType type{DType::bf16, {static_cast<int64_t>(values.size())}};
  Graph graph;
  Builder g(graph);
  if (op.min_inputs == 1)
    g.emit(op, {g.input("x", type)});
  else
    g.emit(op, {g.input("x", type), g.input("dy", type)});
  GpuRun run(graph);
  run.inputs[0] = Tensor::from<float>(type.shape, values).cast(DType::bf16);
  if (op.min_inputs == 2) {
    const std::vector<float> ones(values.size(), 1.0f);
    run.inputs[1] = Tensor::from<float>(type.shape, ones).cast(DType::bf16);
  }
  const Tensor y = run.kernel().out[0].cast(DType::f32);
  double worst = 0.0;
  for (size_t i = 0; i < values.size(); ++i) {
    const double wanted = exact(static_cast<double>(values[i]));
    const double error = std::fabs(static_cast<double>(y.as<float>()[i]) - wanted) - floor;
    const double unit = std::ldexp(1.0, std::max(std::ilogb(wanted), -126) - 7);
    worst = std::max(worst, error / unit);
  }
  return worst;
}
double exact_cdf(double x) {
  return 0.5 * std::erfc(-x / std::sqrt(2.0));
}

TEST(CudaElementwise, GeluInBf16IsRoundedOnceUpToASmallPartOfAUnit) {
  const double forward = worst_unit(op_gelu, 2e-18, [](double x) { return x * exact_cdf(x); });
  const double slope = worst_unit(op_gelu_grad, 5e-5, [](double x) {
    return exact_cdf(x) + x * std::exp(-0.5 * x * x) / std::sqrt(2.0 * M_PI);
  });
  RecordProperty("forward", std::to_string(forward));
  RecordProperty("slope", std::to_string(slope));
  EXPECT_LE(forward, 0.53);
  EXPECT_LE(slope, 0.53);
}

}  // namespace
}  // namespace grimace

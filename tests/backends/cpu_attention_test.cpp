// attention and its gradient against the reference kernels, in the shapes of the models: regions of
// 11 and 101 tokens, 8 representatives as context, a decoder's 800 tokens; f32, and bf16 as pairs
// or widened.
#include "tests/backends/cpu_run.h"

namespace grimace {
namespace {

using testing::expect_kernel_agrees;

struct Case {
  int64_t batch, queries, keys, heads, width;
};
const Case kCases[] = {{16, 11, 11, 8, 64}, {2, 101, 101, 2, 64}, {2, 80, 8, 8, 64},
                       {1, 8, 8, 8, 64},    {1, 800, 800, 1, 64}, {1, 803, 97, 1, 64},
                       {2, 13, 17, 3, 20},  {2, 5, 6, 2, 7},      {1, 1, 1, 1, 1},
                       {1, 200, 3, 2, 96},  {1, 3, 1500, 1, 8},   {0, 3, 3, 1, 2},
                       {2, 0, 3, 1, 2}};
// The kernel rounds weights before they are normalised, the reference never: both operands of a
// product have 8 bits.
constexpr double kBf16 = 4e-3;
constexpr double kF32 = 4e-6;

std::vector<NamedAttr> attributes(const Case& c) {
  return {{"heads", c.heads}, {"scale", 1.0 / std::sqrt(static_cast<double>(c.width))}};
}

// The operands, packed in `count` tensors.
std::vector<Value> packed(Builder& g, const Case& c, int count, DType dtype) {
  const int64_t dim = c.heads * c.width;
  const auto input = [&](const char* name, int64_t rows, int64_t columns) {
    return g.input(name, {dtype, {c.batch, rows, columns}});
  };
  if (count == 1) return {input("qkv", c.queries, 3 * dim)};
  if (count == 2) return {input("q", c.queries, dim), input("kv", c.keys, 2 * dim)};
  return {input("q", c.queries, dim), input("k", c.keys, dim), input("v", c.keys, dim)};
}

void expect_agreement(const Case& c, int count, DType dtype, bool gradient) {
  expect_kernel_agrees(
      [&](Builder& g) {
        std::vector<Value> inputs = packed(g, c, count, dtype);
        if (!gradient) {
          g.emit(op_attention, inputs, attributes(c));
          return;
        }
        inputs.push_back(g.input("dy", {dtype, {c.batch, c.queries, c.heads * c.width}}));
        g.emit(op_attention_grad, inputs, attributes(c));
      },
      dtype == DType::f32 ? kF32 : kBf16);
}

void expect_agreement(bool gradient) {
  for (const DType dtype : {DType::f32, DType::bf16})
    for (const Case& c : kCases)
      for (const int count : {1, 2, 3})
        if (count > 1 || c.queries == c.keys) expect_agreement(c, count, dtype, gradient);
}

TEST(CpuAttention, AgreesWithReference) {
  expect_agreement(false);
}

TEST(CpuAttention, GradientAgreesWithReference) {
  expect_agreement(true);
}

TEST(CpuAttention, IsNotUpsetByLargeScores) {
  expect_kernel_agrees(
      [](Builder& g) {
        const Value q = g.input("q", {DType::f32, {1, 9, 8}});
        g.emit(op_attention, {q, g.input("kv", {DType::f32, {1, 30, 16}})},
               {{"heads", 1}, {"scale", 1.0}});
      },
      2e-5,  // scores of hundreds carry 1e-5 of absolute error into the exponent
      [](testing::NodeRun& run) {
        for (float& x : run.inputs[0].as<float>()) x *= 60.0f;
      });
}

TEST(CpuAttention, KeepsWhatIsNotANumber) {
  for (const DType dtype : {DType::f32, DType::bf16}) {
    Graph graph;
    Builder g(graph);
    g.emit(op_attention, {g.input("qkv", {dtype, {1, 3, 12}})}, {{"heads", 1}, {"scale", 1.0}});
    testing::NodeRun run(graph);
    Tensor qkv = run.inputs[0].cast(DType::f32);
    qkv.as<float>()[0] = std::numeric_limits<float>::quiet_NaN();  // in the first query alone
    run.inputs[0] = qkv.cast(dtype);
    const std::vector<Tensor> out = run.kernel(testing::context(2));
    const Tensor y = out[0].cast(DType::f32);
    for (size_t i = 0; i < 12; ++i)
      EXPECT_EQ(std::isnan(y.view().as<float>()[i]), i < 4) << dtype << " " << i;
  }
}

TEST(CpuAttention, IsTheSameBitForBitHoweverManyThreadsShareAHead) {
  for (const DType dtype : {DType::f32, DType::bf16}) {
    Graph graph;
    Builder g(graph);
    g.emit(op_attention, {g.input("qkv", {dtype, {1, 301, 3 * 64}})}, attributes({1, 0, 0, 2, 32}));
    const testing::NodeRun run(graph);
    const std::vector<Tensor> wanted = run.kernel(testing::context(1));
    for (const int threads : {2, 3, 4, 5})
      EXPECT_TRUE(testing::same_bits(run.kernel(testing::context(threads))[0], wanted[0]))
          << dtype << " with " << threads;
  }
}

// With a scale below zero the smallest product weighs most; with none all keys weigh the same.
TEST(CpuAttention, TakesScalesOfAnySign) {
  for (const DType dtype : {DType::f32, DType::bf16})
    for (const double scale : {-0.3, 0.0, 4.0, -4.0})
      for (const bool gradient : {false, true})
        expect_kernel_agrees(
            [&](Builder& g) {
              std::vector<Value> inputs{g.input("qkv", {dtype, {2, 19, 48}})};
              if (gradient) inputs.push_back(g.input("dy", {dtype, {2, 19, 16}}));
              g.emit(gradient ? op_attention_grad : op_attention, inputs,
                     {{"heads", 2}, {"scale", scale}});
            },
            dtype == DType::f32 ? 2e-5 : kBf16);
}

// What mixed_precision makes of a step: bf16 where only products, gelu and sums read.
TEST(CpuBf16, ResultsAgreeWithReference) {
  const TensorType x{DType::f32, {37, 48}};
  const TensorType narrow{DType::bf16, x.shape};
  const TensorType vector{DType::f32, {48}};
  constexpr double kOneRounding = 2e-3;  // half a unit in the eighth bit
  expect_kernel_agrees([&](Builder& g) { g.gelu(g.input("x", narrow)); }, kOneRounding);
  expect_kernel_agrees(
      [&](Builder& g) {
        g.emit(op_gelu_grad, {g.input("x", narrow), g.input("dy", narrow)});
      },
      kOneRounding);
  expect_kernel_agrees([&](Builder& g) { g.reduce_sum(g.input("x", narrow), {0}); });
  expect_kernel_agrees([&](Builder& g) { g.reduce_sum(g.input("x", narrow), {1}); });
  expect_kernel_agrees([&](Builder& g) { g.reduce_sum(g.input("x", narrow), {}); });
  expect_kernel_agrees(
      [&](Builder& g) {
        g.emit(op_layer_norm, {g.input("x", x), g.input("w", vector), g.input("b", vector)},
               {{"eps", 1e-6}, {"result", DType::bf16}});
      },
      kOneRounding);
  expect_kernel_agrees(
      [&](Builder& g) {
        const TensorType rows{DType::f32, {37}};
        g.emit(op_layer_norm_grad, {g.input("dy", narrow), g.input("x", x), g.input("w", vector),
                                    g.input("mean", rows), g.input("rstd", rows)});
      },
      2e-6);
  expect_kernel_agrees(
      [&](Builder& g) {
        g.emit(op_linear,
               {g.input("x", narrow), g.input("w", {DType::bf16, {32, 48}}),
                g.input("b", {DType::f32, {32}})},
               {{"bias", true}, {"result", DType::bf16}});
      },
      kOneRounding);
  expect_kernel_agrees(
      [&](Builder& g) {
        g.emit(op_matmul, {g.input("x", narrow), g.input("y", {DType::bf16, {37, 20}})},
               {{"transpose_a", true}, {"result", DType::bf16}});
      },
      kOneRounding);
}

}  // namespace
}  // namespace grimace

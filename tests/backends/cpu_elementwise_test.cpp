// Elementwise kernels against the reference kernels where there is enough work for all threads and
// vectors; small shapes are the op cases'.
#include "tests/backends/cpu_run.h"

namespace grimace {
namespace {

using testing::expect_kernel_agrees;

struct ShapePair {
  Shape a, b;
};
const ShapePair kPairs[] = {
    {{3, 1001}, {1001}},
    {{1001}, {3, 1001}},
    {{130, 601}, {130, 1}},
    {{130, 1}, {1, 601}},
    {{4, 3, 512, 3}, {4, 3, 1, 3}},
    {{70, 1100}, {70, 1100}},
};

TEST(CpuElementwise, BinaryOpsAgreeWithReferenceForEveryBroadcast) {
  for (const OpDef* op : {&op_add, &op_sub, &op_mul, &op_div, &op_maximum, &op_minimum, &op_less})
    for (const auto& [a, b] : kPairs)
      expect_kernel_agrees([&](Builder& g) {
        g.emit(*op, {g.input("a", {DType::f32, a}), g.input("b", {DType::f32, b})});
      });
}

TEST(CpuElementwise, LogicalAndAgreesWithReference) {
  for (const auto& [a, b] : kPairs)
    expect_kernel_agrees([&](Builder& g) {
      g.emit(op_logical_and,
             {g.input("a", {DType::boolean, a}), g.input("b", {DType::boolean, b})});
    });
}

TEST(CpuElementwise, SelectAgreesWithReferenceForEveryBroadcast) {
  for (const auto& [a, b] : kPairs)
    for (const DType dtype : {DType::f32, DType::bf16, DType::i64}) {
      expect_kernel_agrees([&](Builder& g) {
        g.select(g.input("c", {DType::boolean, a}), g.input("a", {dtype, b}),
                 g.input("b", {dtype, a}));
      });
      expect_kernel_agrees([&](Builder& g) {
        g.select(g.input("c", {DType::boolean, {}}), g.input("a", {dtype, a}),
                 g.input("b", {dtype, b}));
      });
    }
}

TEST(CpuElementwise, ResultsMayOverwriteAnOperandOfTheSameShape) {
  for (const OpDef* op : {&op_add, &op_sub, &op_mul, &op_div, &op_gelu_grad, &op_softmax_grad}) {
    Graph graph;
    Builder g(graph);
    const TensorType type{DType::f32, {37, 1031}};
    g.emit(*op, {g.input("a", type), g.input("b", type)});
    const testing::NodeRun run(graph);
    const Tensor wanted = run.kernel(testing::context(2))[0];
    for (const size_t at : {0, 1})
      EXPECT_TRUE(testing::same_bits(run.kernel_in_place(testing::context(2), {at})[0], wanted))
          << op->name << " over input " << at;
  }
}

TEST(CpuElementwise, UnaryOpsAgreeWithReference) {
  for (const OpDef* op : {&op_neg, &op_exp, &op_log, &op_sqrt, &op_rsqrt, &op_erf, &op_floor,
                          &op_is_finite, &op_gelu})
    expect_kernel_agrees(
        [&](Builder& g) {
          g.emit(*op, {g.input("x", {DType::f32, {3, 40001}})});
        },
        1e-6,
        [](testing::NodeRun& run) {
          for (float& x : run.inputs[0].as<float>()) x = std::fabs(x) * 3.0f;
        });
}

TEST(CpuElementwise, IsFiniteKnowsInfinityAndNan) {
  Graph graph;
  Builder g(graph);
  g.is_finite(g.input("x", {DType::f32, {4}}));
  testing::NodeRun run(graph);
  run.inputs[0] =
      Tensor::from<float>({4}, std::vector<float>{-3.4e38f, INFINITY, -INFINITY, std::nanf("")});
  const Tensor got = run.kernel(testing::context(1))[0];
  EXPECT_EQ(std::vector<bool>(got.as<bool>().begin(), got.as<bool>().end()),
            (std::vector<bool>{true, false, false, false}));
}

TEST(CpuElementwise, CastsAreExactlyTheReferences) {
  const DType others[] = {DType::bf16, DType::i32, DType::i64, DType::u8, DType::boolean};
  for (const DType other : others)
    for (const bool narrow : {true, false}) {
      Graph graph;
      Builder g(graph);
      const DType from = narrow ? DType::f32 : other;
      g.cast(g.input("x", {from, {3, 20011}}), narrow ? other : DType::f32);
      testing::NodeRun run(graph);
      if (narrow && !is_float(other))
        for (float& x : run.inputs[0].as<float>()) x = std::fabs(x);
      ASSERT_TRUE(cpu::has_kernel(run.node));
      EXPECT_TRUE(testing::same_bits(run.kernel(testing::context(2))[0], run.reference()[0]))
          << from << " to " << run.node.out();
    }
}

}  // namespace
}  // namespace grimace

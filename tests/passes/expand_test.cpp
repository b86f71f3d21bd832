// Fused ops that a backend does not keep become their decompositions.
#include "ir/op_def.h"
#include "tests/passes/pass_testing.h"

namespace grimace::testing {
namespace {

int expand_all(Graph& graph) {
  return expand(graph, [](const Node&) { return false; });
}
int expand_all_but_gelu(Graph& graph) {
  return expand(graph, [](const Node& node) { return node.is(op_gelu); });
}
constexpr double kRounding = 1e-5;

TEST(Expand, ReplacesLinearByMatmulAndAdd) {
  expect_rewrite(expand_all_but_gelu, R"(graph g {
    input %x : f32[2x4x8]
    param @w : f32[3x8]
    param @b : f32[3]
    %h = linear %x, @w, @b {bias=true, epilogue=gelu} : f32[2x4x3]  # mlp
    output %h
  })",
                 R"(graph g {
    input %x : f32[2x4x8]
    param @w : f32[3x8]
    param @b : f32[3]
    %matmul_0 = matmul %x, @w {transpose_b=true} : f32[2x4x3]  # mlp
    %add_0 = add %matmul_0, @b : f32[2x4x3]  # mlp
    %h = gelu %add_0 : f32[2x4x3]  # mlp
    output %h
  })",
                 1, kRounding);
}

TEST(Expand, DropsThePartsOfResultsThatNothingReads) {
  const auto graph = parse(R"(graph g {
    input %x : f32[4x8]
    param @w : f32[8]
    param @b : f32[8]
    %y, %mean, %rstd = layer_norm %x, @w, @b {eps=1e-06} : f32[4x8], f32[4], f32[4]
    output %y
  })");
  EXPECT_EQ(expand_all(*graph), 1);
  for (const Node& node : graph->nodes()) EXPECT_FALSE(node.is(op_reshape)) << print(node);
}

// Decompositions may hold fused ops themselves; none is left, and the numbers agree.
TEST(Expand, LeavesNoFusedOpAndTheSameNumbers) {
  const auto graph = parse(R"(graph g {
    input %x : f32[4x8]
    input %dy : f32[4x8]
    param @w : f32[8]
    param @b : f32[8]
    %h, %mean, %rstd = layer_norm %x, @w, @b {eps=1e-06} : f32[4x8], f32[4], f32[4]
    %s = softmax %h : f32[4x8]
    %ds = softmax_grad %s, %dy : f32[4x8]
    %a = gelu %s : f32[4x8]
    %da = gelu_grad %s, %ds : f32[4x8]
    %dx, %dw, %db = layer_norm_grad %da, %x, @w, %mean, %rstd : f32[4x8], f32[8], f32[8]
    output %a
    output %dx
    output %dw
    output %db
    output %rstd
  })");
  const auto inputs = random_inputs(*graph);
  const Interpretation expected = interpret(*graph, inputs);
  EXPECT_GE(expand_all(*graph), 5);
  ASSERT_NO_THROW(verify(*graph));
  for (const Node& node : graph->nodes()) EXPECT_EQ(node.op().decompose, nullptr) << print(node);
  expect_same(expected.outputs, interpret(*graph, inputs).outputs, 1e-4);
}

TEST(Expand, LeavesWhatTheCallerKeepsAlone) {
  expect_unchanged(expand_all_but_gelu, R"(graph g {
    input %x : f32[4]
    %y = gelu %x : f32[4]
    output %y
  })");
}

}  // namespace
}  // namespace grimace::testing

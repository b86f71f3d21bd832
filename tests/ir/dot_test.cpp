// The Graphviz form: a whole drawing, and escaping.
#include "ir/dot.h"

#include <gmock/gmock.h>

#include "ir/text.h"
#include "tests/ir/random_graph.h"

namespace grimace {
namespace {

using ::testing::HasSubstr;

TEST(Dot, DrawsNodesInTheBoxesOfTheirScopes) {
  const auto graph = parse(
      "graph g {\n  input %x : f32[2x3]\n  param @w : f32[4x3]\n"
      "  %h = linear %x, @w : f32[2x4]  # encoder/mlp\n"
      "  %y = gelu %h : f32[2x4]\n"
      "  output %y\n  update @w = @w\n}\n");
  EXPECT_EQ(to_dot(*graph), R"(digraph "g" {
  node [shape=box];
  n1 [label="%y = gelu %h : f32[2x4]"];
  o0 [label="output y", style=bold];
  u0 [label="update @w", style=bold];
  subgraph cluster_0 {
    label="encoder";
    subgraph cluster_1 {
      label="mlp";
      i0 [label="input %x", shape=ellipse];
      i1 [label="param @w", shape=ellipse];
      n0 [label="%h = linear %x, @w : f32[2x4]"];
    }
  }
  i0 -> n0 [label="f32[2x3]"];
  i1 -> n0 [label="f32[4x3]"];
  n0 -> n1 [label="f32[2x4]"];
  n1 -> o0 [label="f32[2x4]"];
  i1 -> u0 [label="f32[4x3]"];
}
)");
}

TEST(Dot, EscapesNames) {
  Graph graph("a\"b\\c");
  Builder b(graph);
  b.input("x\"];evil", {DType::f32, {}});
  EXPECT_THAT(to_dot(graph), HasSubstr("digraph \"a\\\"b\\\\c\" {"));
  EXPECT_THAT(to_dot(graph), HasSubstr("[label=\"input %x\\\"];evil\", shape=ellipse]"));
}

}  // namespace
}  // namespace grimace

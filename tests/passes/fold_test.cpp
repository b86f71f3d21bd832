// What depends on literals alone becomes a literal.
#include "tests/passes/pass_testing.h"

namespace grimace::testing {
namespace {

TEST(Fold, ComputesScalarsAsFull) {
  expect_rewrite(fold, R"(graph g {
    input %x : f32[2]
    %two = full {value=2} : f32[]
    %three = full {value=3} : f32[]
    %six = mul %two, %three : f32[]
    %count = cast %six {to=i64} : i64[]
    %back = cast %count {to=f32} : f32[]
    %y = add %x, %back : f32[2]
    output %y
  })",
                 R"(graph g {
    input %x : f32[2]
    %back = full {value=6} : f32[]
    %y = add %x, %back : f32[2]
    output %y
  })",
                 3);
}

TEST(Fold, ComputesSmallTablesAsConstants) {
  expect_rewrite(fold, R"(graph g {
    input %x : f32[3]
    constant @c : f32[3] = [1,2,3]
    %two = full {value=2} : f32[]
    %d = mul @c, %two : f32[3]
    %e = neg %d : f32[3]
    %y = add %x, %e : f32[3]
    output %y
  })",
                 R"(graph g {
    input %x : f32[3]
    constant @c : f32[3] = [1,2,3]
    constant @folded_0 : f32[3] = [2,4,6]
    constant @folded_1 : f32[3] = [-2,-4,-6]
    %y = add %x, @folded_1 : f32[3]
    output %y
  })",
                 2);
}

TEST(Fold, MakesAFullOfEqualElements) {
  expect_rewrite(fold, R"(graph g {
    input %x : f32[3]
    constant @c : f32[3] = [2,2,2]
    %d = exp @c : f32[3]
    %zero = sub %d, %d : f32[3]
    %y = add %x, %zero : f32[3]
    output %y
  })",
                 R"(graph g {
    input %x : f32[3]
    constant @c : f32[3] = [2,2,2]
    %zero = full {value=0, shape=[3]} : f32[3]
    %y = add %x, %zero : f32[3]
    output %y
  })",
                 2);
}

TEST(Fold, MovesAndComputesFullsOfAnySize) {
  expect_rewrite(fold, R"(graph g {
    input %x : f32[100x2]
    %one = full {value=1} : f32[]
    %ones = broadcast %one {shape=[2,100]} : f32[2x100]
    %t = transpose %ones {permutation=[1,0]} : f32[100x2]
    %r = reshape %t {shape=[200]} : f32[200]
    %s = slice %r {axis=0, begin=0, end=100} : f32[100]
    %c = reshape %s {shape=[100,1]} : f32[100x1]
    %three = full {value=3, shape=[2]} : f32[2]
    %four = add %c, %three : f32[100x2]
    %y = mul %x, %four : f32[100x2]
    output %y
  })",
                 R"(graph g {
    input %x : f32[100x2]
    %four = full {value=4, shape=[100,2]} : f32[100x2]
    %y = mul %x, %four : f32[100x2]
    output %y
  })",
                 6);
}

TEST(Fold, LeavesLiteralsLargeTablesAndEverythingElseAlone) {
  expect_unchanged(fold, R"(graph g {
    input %x : f32[2]
    constant @c : f32[65] = [0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31,32,33,34,35,36,37,38,39,40,41,42,43,44,45,46,47,48,49,50,51,52,53,54,55,56,57,58,59,60,61,62,63,64]
    constant @d : f32[2] = [1,2]
    param @w : f32[2]
    %one = full {value=1} : f32[]
    %table = position_table {rows=4, dim=4} : f32[4x4]
    %few = slice @c {axis=0, begin=2, end=4} : f32[2]
    %many = broadcast @d {shape=[33,2]} : f32[33x2]
    %a = mul %few, %x : f32[2]
    %b = mul %many, %x : f32[33x2]
    %y = add %x, @w : f32[2]
    %z = mul %y, %one : f32[2]
    output %table
    output %a
    output %b
    output %z
  })");
}

// What a graph gives out is computed by a node of its own, never a graph input.
TEST(Fold, LeavesOutputsAlone) {
  expect_unchanged(fold, R"(graph g {
    constant @c : f32[3] = [1,2,3]
    param @w : f32[3]
    %y = neg @c : f32[3]
    %z = exp @c : f32[3]
    output %y
    update @w = %z
  })");
}

// 1 / 0 has no literal that text could not misread; the graph computes it.
TEST(Fold, KeepsAnInfiniteScalarAsAConstant) {
  const auto graph = parse(R"(graph g {
    input %x : f32[2]
    %one = full {value=1} : f32[]
    %zero = full {value=0} : f32[]
    %inf = div %one, %zero : f32[]
    %y = mul %x, %inf : f32[2]
    output %y
  })");
  const auto inputs = random_inputs(*graph);
  const Interpretation expected = interpret(*graph, inputs);
  EXPECT_EQ(fold(*graph), 1);
  EXPECT_EQ(graph->inputs(Role::constant).size(), 1u);
  expect_same(expected.outputs, interpret(*graph, inputs).outputs, 0.0);
}

// Indices are checked when they are used; a wrong one must stay an error of the run.
TEST(Fold, LeavesANodeThatItsKernelRefusesAlone) {
  expect_unchanged(fold, R"(graph g {
    constant @labels : i32[1] = [7]
    %hot = one_hot @labels {classes=3} : f32[1x3]
    output %hot
  })");
}

}  // namespace
}  // namespace grimace::testing

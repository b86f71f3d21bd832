// Equal nodes become one; nodes that differ in anything stay two.
#include "tests/passes/pass_testing.h"

namespace grimace::testing {
namespace {

TEST(EliminateCommon, MergesChainsOfEqualNodes) {
  expect_rewrite(eliminate_common, R"(graph g {
    input %x : f32[4]
    %a = exp %x : f32[4]
    %b = exp %x : f32[4]
    %c = neg %a : f32[4]
    %d = neg %b : f32[4]
    %y = mul %c, %d : f32[4]
    output %y
  })",
                 R"(graph g {
    input %x : f32[4]
    %a = exp %x : f32[4]
    %c = neg %a : f32[4]
    %y = mul %c, %c : f32[4]
    output %y
  })",
                 2);
}

TEST(EliminateCommon, SeesThroughTheOrderOfACommutativeOp) {
  expect_rewrite(eliminate_common, R"(graph g {
    input %x : f32[4]
    input %z : f32[4]
    %a = add %x, %z : f32[4]
    %b = add %z, %x : f32[4]
    %y = mul %a, %b : f32[4]
    output %y
  })",
                 R"(graph g {
    input %x : f32[4]
    input %z : f32[4]
    %a = add %x, %z : f32[4]
    %y = mul %a, %a : f32[4]
    output %y
  })");
}

TEST(EliminateCommon, MergesAllResultsOfANode) {
  expect_rewrite(eliminate_common, R"(graph g {
    input %x : f32[4x2]
    param @w : f32[2]
    %a, %mean, %rstd = layer_norm %x, @w, @w {eps=1e-06} : f32[4x2], f32[4], f32[4]
    %b, %mean2, %rstd2 = layer_norm %x, @w, @w {eps=1e-06} : f32[4x2], f32[4], f32[4]
    %s = add %mean, %rstd2 : f32[4]
    output %a
    output %s
  })",
                 R"(graph g {
    input %x : f32[4x2]
    param @w : f32[2]
    %a, %mean, %rstd = layer_norm %x, @w, @w {eps=1e-06} : f32[4x2], f32[4], f32[4]
    %s = add %mean, %rstd : f32[4]
    output %a
    output %s
  })");
}

TEST(EliminateCommon, MergesRandomNumbersOfOneSite) {
  expect_rewrite(eliminate_common, R"(graph g {
    state @seed : i64[]
    state @step : i64[]
    %a = random_uniform @seed, @step {site=1, shape=[4]} : f32[4]
    %b = random_uniform @seed, @step {site=1, shape=[4]} : f32[4]
    %c = random_uniform @seed, @step {site=2, shape=[4]} : f32[4]
    %d = add %a, %b : f32[4]
    %y = add %d, %c : f32[4]
    output %y
  })",
                 R"(graph g {
    state @seed : i64[]
    state @step : i64[]
    %a = random_uniform @seed, @step {site=1, shape=[4]} : f32[4]
    %c = random_uniform @seed, @step {site=2, shape=[4]} : f32[4]
    %d = add %a, %a : f32[4]
    %y = add %d, %c : f32[4]
    output %y
  })",
                 1);
}

TEST(EliminateCommon, LeavesOtherOrdersAttributesAndZerosAlone) {
  expect_unchanged(eliminate_common, R"(graph g {
    input %x : f32[2x2]
    input %z : f32[2x2]
    %a = sub %x, %z : f32[2x2]
    %b = sub %z, %x : f32[2x2]
    %c = matmul %a, %b : f32[2x2]
    %d = matmul %a, %b {transpose_b=true} : f32[2x2]
    %zero = full {value=0} : f32[]
    %minus_zero = full {value=-0} : f32[]
    output %c
    output %d
    output %zero
    output %minus_zero
  })");
}

TEST(EliminateCommon, LeavesTwoOutputsAndUpdatesTheirOwnValues) {
  expect_unchanged(eliminate_common, R"(graph g {
    input %x : f32[4]
    param @a : f32[4]
    param @b : f32[4]
    %y = exp %x : f32[4]
    %z = exp %x : f32[4]
    update @a = %y
    update @b = %z
  })");
}

}  // namespace
}  // namespace grimace::testing

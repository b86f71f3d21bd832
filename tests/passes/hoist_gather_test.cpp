// gather_rows moves up to where it picks the fewest numbers, and no row is computed twice.
#include "tests/passes/pass_testing.h"

namespace grimace::testing {
namespace {

constexpr double kRounding = 1e-6;

// The encoder's way in: every cube embedded and given its position, then the visible ones picked.
TEST(HoistGather, EmbedsOnlyTheCubesThatArePicked) {
  expect_rewrite(hoist_gather, R"(graph g {
    input %cubes : f32[2x4x6]
    input %index : i32[2x2]
    param @w : f32[3x6]
    param @b : f32[3]
    %table = position_table {rows=4, dim=3} : f32[4x3]  # encoder
    %h = linear %cubes, @w, @b {bias=true} : f32[2x4x3]  # encoder/patch_embed
    %p = add %h, %table : f32[2x4x3]  # encoder
    %visible = gather_rows %p, %index : f32[2x2x3]  # encoder
    output %visible
  })",
                 R"(graph g {
    input %cubes : f32[2x4x6]
    input %index : i32[2x2]
    param @w : f32[3x6]
    param @b : f32[3]
    %table = position_table {rows=4, dim=3} : f32[4x3]  # encoder
    %gather_rows_0 = gather_rows %cubes, %index : f32[2x2x6]  # encoder
    %h = linear %gather_rows_0, @w, @b {bias=true} : f32[2x2x3]  # encoder/patch_embed
    %gather_rows_1 = gather_rows %table, %index : f32[2x2x3]  # encoder
    %visible = add %h, %gather_rows_1 : f32[2x2x3]  # encoder
    output %visible
  })",
                 2, kRounding);
}

TEST(HoistGather, PassesNormsSoftmaxAndChainsOfElementwiseOps) {
  expect_rewrite(hoist_gather, R"(graph g {
    input %x : f32[2x4x6]
    input %index : i32[2x2]
    param @w : f32[6]
    param @b : f32[6]
    %n, %mean, %rstd = layer_norm %x, @w, @b {eps=1e-06} : f32[2x4x6], f32[2x4], f32[2x4]
    %s = softmax %n : f32[2x4x6]
    %g = gelu %s : f32[2x4x6]
    %y = gather_rows %g, %index : f32[2x2x6]
    output %y
  })",
                 R"(graph g {
    input %x : f32[2x4x6]
    input %index : i32[2x2]
    param @w : f32[6]
    param @b : f32[6]
    %gather_rows_0 = gather_rows %x, %index : f32[2x2x6]
    %n, %n.1, %n.2 = layer_norm %gather_rows_0, @w, @b {eps=1e-06} : f32[2x2x6], f32[2x2], f32[2x2]
    %s = softmax %n : f32[2x2x6]
    %y = gelu %s : f32[2x2x6]
    output %y
  })",
                 3);
}

// [B,R,1] goes with the rows, [1,R,C] and [R,1] are tables for the batch, equal rows stay.
TEST(HoistGather, GathersOperandsByTheirRowsAndLeavesEqualRows) {
  expect_rewrite(hoist_gather, R"(graph g {
    input %x : f32[2x4x6]
    input %index : i32[2x2]
    input %per_row : f32[2x4x1]
    input %batch_table : f32[1x4x6]
    input %column : f32[4x1]
    input %per_clip : f32[2x1x6]
    input %row : f32[1x6]
    input %channel : f32[6]
    input %scalar : f32[]
    %a = sub %x, %per_row : f32[2x4x6]
    %b = add %a, %batch_table : f32[2x4x6]
    %c = mul %b, %column : f32[2x4x6]
    %d = add %c, %per_clip : f32[2x4x6]
    %e = mul %d, %row : f32[2x4x6]
    %f = add %e, %channel : f32[2x4x6]
    %g = mul %f, %scalar : f32[2x4x6]
    %y = gather_rows %g, %index : f32[2x2x6]
    output %y
  })",
                 R"(graph g {
    input %x : f32[2x4x6]
    input %index : i32[2x2]
    input %per_row : f32[2x4x1]
    input %batch_table : f32[1x4x6]
    input %column : f32[4x1]
    input %per_clip : f32[2x1x6]
    input %row : f32[1x6]
    input %channel : f32[6]
    input %scalar : f32[]
    %gather_rows_0 = gather_rows %x, %index : f32[2x2x6]
    %gather_rows_1 = gather_rows %per_row, %index : f32[2x2x1]
    %a = sub %gather_rows_0, %gather_rows_1 : f32[2x2x6]
    %reshape_0 = reshape %batch_table {shape=[4,6]} : f32[4x6]
    %gather_rows_2 = gather_rows %reshape_0, %index : f32[2x2x6]
    %b = add %a, %gather_rows_2 : f32[2x2x6]
    %gather_rows_3 = gather_rows %column, %index : f32[2x2x1]
    %c = mul %b, %gather_rows_3 : f32[2x2x6]
    %d = add %c, %per_clip : f32[2x2x6]
    %e = mul %d, %row : f32[2x2x6]
    %f = add %e, %channel : f32[2x2x6]
    %y = mul %f, %scalar : f32[2x2x6]
    output %y
  })",
                 7);
}

TEST(HoistGather, GathersAnOperandThatIsReadTwiceOnce) {
  expect_rewrite(hoist_gather, R"(graph g {
    input %x : f32[2x4x6]
    input %index : i32[2x2]
    %a = mul %x, %x : f32[2x4x6]
    %y = gather_rows %a, %index : f32[2x2x6]
    output %y
  })",
                 R"(graph g {
    input %x : f32[2x4x6]
    input %index : i32[2x2]
    %gather_rows_0 = gather_rows %x, %index : f32[2x2x6]
    %y = mul %gather_rows_0, %gather_rows_0 : f32[2x2x6]
    output %y
  })",
                 1);
}

TEST(HoistGather, PassesASelectWithItsCondition) {
  expect_rewrite(hoist_gather, R"(graph g {
    input %c : bool[2x4x1]
    input %x : f32[2x4x6]
    input %z : f32[6]
    input %index : i32[2x2]
    %a = select %c, %x, %z : f32[2x4x6]
    %y = gather_rows %a, %index : f32[2x2x6]
    output %y
  })",
                 R"(graph g {
    input %c : bool[2x4x1]
    input %x : f32[2x4x6]
    input %z : f32[6]
    input %index : i32[2x2]
    %gather_rows_0 = gather_rows %c, %index : bool[2x2x1]
    %gather_rows_1 = gather_rows %x, %index : f32[2x2x6]
    %y = select %gather_rows_0, %gather_rows_1, %z : f32[2x2x6]
    output %y
  })",
                 1);
}

TEST(HoistGather, LeavesWhatIsReadElsewhereAlone) {
  expect_unchanged(hoist_gather, R"(graph g {
    input %x : f32[2x4x6]
    input %index : i32[2x2]
    param @w : f32[6]
    %two = gelu %x : f32[2x4x6]
    %a = gather_rows %two, %index : f32[2x2x6]
    %sum = reduce_sum %two {axes=[0,1,2]} : f32[]
    %out = exp %x : f32[2x4x6]
    %b = gather_rows %out, %index : f32[2x2x6]
    %n, %mean, %rstd = layer_norm %x, @w, @w {eps=1e-06} : f32[2x4x6], f32[2x4], f32[2x4]
    %c = gather_rows %n, %index : f32[2x2x6]
    output %a
    output %sum
    output %out
    output %b
    output %mean
    output %c
  })");
}

TEST(HoistGather, LeavesOpsThatMixOrMoveRowsAlone) {
  expect_unchanged(hoist_gather, R"(graph g {
    input %x : f32[2x4x6]
    input %q : f32[2x4x4]
    input %r : f32[8x6]
    param @w : f32[6x6]
    input %index : i32[2x2]
    %m = matmul %q, %x : f32[2x4x6]
    %a = gather_rows %m, %index : f32[2x2x6]
    %t = reshape %r {shape=[2,4,6]} : f32[2x4x6]
    %b = gather_rows %t, %index : f32[2x2x6]
    %l = linear %x, @w, %x {epilogue=add} : f32[2x4x6]
    %c = gather_rows %l, %index : f32[2x2x6]
    output %a
    output %b
    output %c
  })");
}

// A table of 2 rows embedded and then handed to 2 x 2 tokens, and a mere reordering of 4 rows.
TEST(HoistGather, LeavesAGatherThatPicksNoFewerRowsAlone) {
  expect_unchanged(hoist_gather, R"(graph g {
    input %table : f32[2x6]
    input %x : f32[2x4x6]
    input %index : i32[2x2]
    input %order : i32[2x4]
    %t = gelu %table : f32[2x6]
    %a = gather_rows %t, %index : f32[2x2x6]
    %h = gelu %x : f32[2x4x6]
    %b = gather_rows %h, %order : f32[2x4x6]
    output %a
    output %b
  })");
}

}  // namespace
}  // namespace grimace::testing

// Bias, gelu and residual move into the product before them, when nothing else reads it.
#include "tests/passes/pass_testing.h"

namespace grimace::testing {
namespace {

constexpr double kRounding = 1e-6;

TEST(FuseLinear, MakesALinearOfMatmulAndBiasOnEitherSide) {
  expect_rewrite(fuse_linear, R"(graph g {
    input %x : f32[2x4x8]
    param @w : f32[3x8]
    param @b : f32[3]
    %h = matmul %x, @w {transpose_b=true} : f32[2x4x3]  # head
    %y = add %h, @b : f32[2x4x3]  # head/bias
    %k = linear %x, @w : f32[2x4x3]
    %z = add @b, %k : f32[2x4x3]
    output %y
    output %z
  })",
                 R"(graph g {
    input %x : f32[2x4x8]
    param @w : f32[3x8]
    param @b : f32[3]
    %y = linear %x, @w, @b {bias=true} : f32[2x4x3]  # head
    %z = linear %x, @w, @b {bias=true} : f32[2x4x3]
    output %y
    output %z
  })",
                 2, kRounding);
}

TEST(FuseLinear, LeavesOtherProductsAndOtherBiasesAlone) {
  expect_unchanged(fuse_linear, R"(graph g {
    input %x : f32[2x4x8]
    input %v : f32[2x3x8]
    param @w : f32[3x8]
    param @u : f32[8x3]
    param @b : f32[3]
    param @c : f32[4x1]
    param @t : f32[8x4]
    %plain = matmul %x, @u : f32[2x4x3]
    %a = add %plain, @b : f32[2x4x3]
    %batched = matmul %x, %v {transpose_b=true} : f32[2x4x3]
    %d = add %batched, @b : f32[2x4x3]
    %column = matmul %x, @w {transpose_b=true} : f32[2x4x3]
    %e = add %column, @c : f32[2x4x3]
    %turned = matmul @t, @w {transpose_a=true, transpose_b=true} : f32[4x3]
    %f = add %turned, @b : f32[4x3]
    %biased = linear %x, @w, @b {bias=true} : f32[2x4x3]
    %g = add %biased, @b : f32[2x4x3]
    output %a
    output %d
    output %e
    output %f
    output %g
  })");
}

TEST(FuseLinear, LeavesAProductWithTwoUsersOrAnOutputAlone) {
  expect_unchanged(fuse_linear, R"(graph g {
    input %x : f32[4x8]
    param @w : f32[3x8]
    param @b : f32[3]
    %two = matmul %x, @w {transpose_b=true} : f32[4x3]
    %a = add %two, @b : f32[4x3]
    %c = neg %two : f32[4x3]
    %out = matmul %x, @w {transpose_b=true} : f32[4x3]
    %d = add %out, @b : f32[4x3]
    output %a
    output %c
    output %d
    output %out
  })");
}

TEST(FuseLinear, TakesGeluAsTheEpilogue) {
  expect_rewrite(fuse_linear, R"(graph g {
    input %x : f32[4x8]
    param @w : f32[3x8]
    param @b : f32[3]
    %h = linear %x, @w, @b {bias=true} : f32[4x3]  # mlp
    %a = gelu %h : f32[4x3]  # mlp/act
    output %a
  })",
                 R"(graph g {
    input %x : f32[4x8]
    param @w : f32[3x8]
    param @b : f32[3]
    %a = linear %x, @w, @b {bias=true, epilogue=gelu} : f32[4x3]  # mlp
    output %a
  })",
                 1, kRounding);
}

// In training the gradient of gelu reads what gelu read.
TEST(FuseLinear, LeavesAGeluWhoseInputIsReadElsewhereAlone) {
  expect_unchanged(fuse_linear, R"(graph g {
    input %x : f32[4x8]
    param @w : f32[3x8]
    %h = linear %x, @w : f32[4x3]
    %a = gelu %h : f32[4x3]
    %da = gelu_grad %h, %a : f32[4x3]
    %out = linear %x, @w : f32[4x3]
    %b = gelu %out : f32[4x3]
    output %da
    output %b
    output %out
  })");
}

TEST(FuseLinear, TakesAResidualFromEitherSide) {
  expect_rewrite(fuse_linear, R"(graph g {
    input %x : f32[4x8]
    param @w : f32[8x8]
    param @b : f32[8]
    %h = linear %x, @w, @b {bias=true} : f32[4x8]
    %y = add %x, %h : f32[4x8]
    %k = linear %y, @w : f32[4x8]
    %z = add %k, %y : f32[4x8]
    output %z
  })",
                 R"(graph g {
    input %x : f32[4x8]
    param @w : f32[8x8]
    param @b : f32[8]
    %y = linear %x, @w, @b, %x {bias=true, epilogue=add} : f32[4x8]
    %z = linear %y, @w, %y {epilogue=add} : f32[4x8]
    output %z
  })",
                 2, kRounding);
}

TEST(FuseLinear, FusesOneOfTwoProductsThatAreAdded) {
  expect_rewrite(fuse_linear, R"(graph g {
    input %x : f32[4x8]
    param @w : f32[8x8]
    param @v : f32[8x8]
    %h = linear %x, @w : f32[4x8]
    %k = linear %x, @v : f32[4x8]
    %y = add %h, %k : f32[4x8]
    output %y
  })",
                 R"(graph g {
    input %x : f32[4x8]
    param @w : f32[8x8]
    param @v : f32[8x8]
    %k = linear %x, @v : f32[4x8]
    %y = linear %x, @w, %k {epilogue=add} : f32[4x8]
    output %y
  })",
                 1, kRounding);
}

TEST(FuseLinear, LeavesABroadcastResidualASecondEpilogueAndADoubledProductAlone) {
  expect_unchanged(fuse_linear, R"(graph g {
    input %x : f32[2x4x8]
    input %table : f32[4x8]
    param @w : f32[8x8]
    %h = linear %x, @w : f32[2x4x8]
    %a = add %h, %table : f32[2x4x8]
    %k = linear %x, @w {epilogue=gelu} : f32[2x4x8]
    %b = add %k, %x : f32[2x4x8]
    %l = linear %x, @w : f32[2x4x8]
    %c = add %l, %l : f32[2x4x8]
    output %a
    output %b
    output %c
  })");
}

TEST(FuseLinear, KeepsSixteenBitOperandsWithAnF32Residual) {
  expect_rewrite(fuse_linear, R"(graph g {
    input %x : bf16[4x8]
    input %r : f32[4x8]
    input %w : bf16[8x8]
    param @b : f32[8]
    %h = matmul %x, %w {transpose_b=true} : f32[4x8]
    %k = add %h, @b : f32[4x8]
    %y = add %k, %r : f32[4x8]
    output %y
  })",
                 R"(graph g {
    input %x : bf16[4x8]
    input %r : f32[4x8]
    input %w : bf16[8x8]
    param @b : f32[8]
    %y = linear %x, %w, @b, %r {bias=true, epilogue=add} : f32[4x8]
    output %y
  })",
                 2, kRounding);
}

}  // namespace
}  // namespace grimace::testing

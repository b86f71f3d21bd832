// Products read 16-bit operands; all else stays f32.
#include "tests/passes/pass_testing.h"

namespace grimace::testing {
namespace {

int to_bf16(Graph& graph) {
  return mixed_precision(graph, DType::bf16);
}
constexpr double kBf16 = 0.02;  // two operands of 8 bits, a short sum

TEST(MixedPrecision, CastsOperandsButNeitherBiasNorResidualNorResult) {
  expect_rewrite(to_bf16, R"(graph g {
    input %x : f32[4x8]
    param @w : f32[8x8]
    param @b : f32[8]
    %h = linear %x, @w, @b, %x {bias=true, epilogue=add} : f32[4x8]
    %y = gelu %h : f32[4x8]
    output %y
  })",
                 R"(graph g {
    input %x : f32[4x8]
    param @w : f32[8x8]
    param @b : f32[8]
    %cast_0 = cast %x {to=bf16} : bf16[4x8]
    %cast_1 = cast @w {to=bf16} : bf16[8x8]
    %h = linear %cast_0, %cast_1, @b, %x {bias=true, epilogue=add} : f32[4x8]
    %y = gelu %h : f32[4x8]
    output %y
  })",
                 1, kBf16);
}

TEST(MixedPrecision, CastsAValueOnceForTheWholeGraph) {
  expect_rewrite(to_bf16, R"(graph g {
    input %x : f32[4x8]
    param @w : f32[8x8]
    %h = linear %x, @w : f32[4x8]
    %y = matmul %x, @w : f32[4x8]
    %z = matmul %x, %x {transpose_a=true} : f32[8x8]
    output %h
    output %y
    output %z
  })",
                 R"(graph g {
    input %x : f32[4x8]
    param @w : f32[8x8]
    %cast_0 = cast %x {to=bf16} : bf16[4x8]
    %cast_1 = cast @w {to=bf16} : bf16[8x8]
    %h = linear %cast_0, %cast_1 : f32[4x8]
    %y = matmul %cast_0, %cast_1 : f32[4x8]
    %z = matmul %cast_0, %cast_0 {transpose_a=true} : f32[8x8]
    output %h
    output %y
    output %z
  })",
                 3, kBf16);
}

TEST(MixedPrecision, CastsBehindAReshapeOnce) {
  expect_rewrite(to_bf16, R"(graph g {
    input %x : f32[2x4x8]
    param @w : f32[8x8]
    %rows = reshape %x {shape=[8,8]} : f32[8x8]
    %h = linear %x, @w : f32[2x4x8]
    %y = linear %rows, @w : f32[8x8]
    output %h
    output %y
  })",
                 R"(graph g {
    input %x : f32[2x4x8]
    param @w : f32[8x8]
    %cast_0 = cast %x {to=bf16} : bf16[2x4x8]
    %cast_1 = cast @w {to=bf16} : bf16[8x8]
    %h = linear %cast_0, %cast_1 : f32[2x4x8]
    %reshape_0 = reshape %cast_0 {shape=[8,8]} : bf16[8x8]
    %y = linear %reshape_0, %cast_1 : f32[8x8]
    output %h
    output %y
  })",
                 2, kBf16);
}

TEST(MixedPrecision, LeavesSixteenBitAndDoubleOperandsAlone) {
  expect_unchanged(to_bf16, R"(graph g {
    input %a : bf16[4x8]
    input %b : f64[4x8]
    %x = matmul %a, %a {transpose_b=true} : f32[4x4]
    %y = matmul %b, %b {transpose_b=true} : f64[4x4]
    %z = add %x, %x : f32[4x4]
    output %y
    output %z
  })");
}

TEST(MixedPrecision, KeepsInSixteenBitsWhatOnlyProductsGeluAndSumsRead) {
  expect_rewrite(to_bf16, R"(graph g {
    input %x : f32[4x8]
    param @w : f32[8x8]
    param @scale : f32[8]
    param @shift : f32[8]
    %n, %mean, %rstd = layer_norm %x, @scale, @shift {eps=0.01} : f32[4x8], f32[4], f32[4]
    %h = linear %n, @w : f32[4x8]
    %a = gelu %h : f32[4x8]
    %y = linear %a, @w : f32[4x8]
    %g = matmul %y, @w : f32[4x8]
    %d = gelu_grad %h, %g : f32[4x8]
    %db = reduce_sum %d {axes=[0]} : f32[8]
    %dn = matmul %d, @w : f32[4x8]
    %dx, %dw, %ds = layer_norm_grad %dn, %x, @scale, %mean, %rstd : f32[4x8], f32[8], f32[8]
    output %y
    output %db
    output %dx
    output %dw
  })",
                 R"(graph g {
    input %x : f32[4x8]
    param @w : f32[8x8]
    param @scale : f32[8]
    param @shift : f32[8]
    %n, %mean, %rstd = layer_norm %x, @scale, @shift {eps=0.01, result=bf16} : bf16[4x8], f32[4], f32[4]
    %cast_0 = cast @w {to=bf16} : bf16[8x8]
    %h = linear %n, %cast_0 {result=bf16} : bf16[4x8]
    %a = gelu %h : bf16[4x8]
    %y = linear %a, %cast_0 : f32[4x8]
    %cast_1 = cast %y {to=bf16} : bf16[4x8]
    %g = matmul %cast_1, %cast_0 {result=bf16} : bf16[4x8]
    %d = gelu_grad %h, %g : bf16[4x8]
    %db = reduce_sum %d {axes=[0]} : f32[8]
    %dn = matmul %d, %cast_0 {result=bf16} : bf16[4x8]
    %dx, %dw, %ds = layer_norm_grad %dn, %x, @scale, %mean, %rstd : f32[4x8], f32[8], f32[8]
    output %y
    output %db
    output %dx
    output %dw
  })",
                 4, kBf16);
}

TEST(MixedPrecision, RoundsTheGradientOfTheLossForTheProductsThatReadIt) {
  expect_rewrite(to_bf16, R"(graph g {
    input %pred : f32[1x8x24]
    input %video : f32[1x3x4x4x4]
    param @w : f32[24x8]
    %dpred, %loss = reconstruction_loss %pred, %video {tubelet=2, patch=2} : f32[1x8x24], f32[]
    %dx = matmul %dpred, @w : f32[1x8x8]
    %db = reduce_sum %dpred {axes=[0,1]} : f32[24]
    output %loss
    output %dx
    output %db
  })",
                 R"(graph g {
    input %pred : f32[1x8x24]
    input %video : f32[1x3x4x4x4]
    param @w : f32[24x8]
    %dpred, %loss = reconstruction_loss %pred, %video {tubelet=2, patch=2, result=bf16} : bf16[1x8x24], f32[]
    %cast_0 = cast @w {to=bf16} : bf16[24x8]
    %dx = matmul %dpred, %cast_0 : f32[1x8x8]
    %db = reduce_sum %dpred {axes=[0,1]} : f32[24]
    output %loss
    output %dx
    output %db
  })",
                 1, kBf16);
}

TEST(MixedPrecision, LeavesWholeWhatAnythingElseReads) {
  expect_rewrite(to_bf16, R"(graph g {
    input %x : f32[4x8]
    param @w : f32[8x8]
    %h = linear %x, @w : f32[4x8]
    %a = gelu %h : f32[4x8]
    %y = linear %a, @w : f32[4x8]
    %z = add %h, %y : f32[4x8]
    output %a
    output %z
  })",
                 R"(graph g {
    input %x : f32[4x8]
    param @w : f32[8x8]
    %cast_0 = cast %x {to=bf16} : bf16[4x8]
    %cast_1 = cast @w {to=bf16} : bf16[8x8]
    %h = linear %cast_0, %cast_1 : f32[4x8]
    %a = gelu %h : f32[4x8]
    %cast_2 = cast %a {to=bf16} : bf16[4x8]
    %y = linear %cast_2, %cast_1 : f32[4x8]
    %z = add %h, %y : f32[4x8]
    output %a
    output %z
  })",
                 2, kBf16);
}

TEST(MixedPrecision, AttentionReadsAndWritesSixteenBits) {
  expect_rewrite(to_bf16, R"(graph g {
    input %x : f32[2x3x4]
    param @w : f32[12x4]
    param @p : f32[4x4]
    %qkv = linear %x, @w : f32[2x3x12]
    %a = attention %qkv {heads=2, scale=0.5} : f32[2x3x4]
    %y = linear %a, @p : f32[2x3x4]
    %d = attention_grad %qkv, %y {heads=2, scale=0.5} : f32[2x3x12]
    %db = reduce_sum %d {axes=[0,1]} : f32[12]
    %dx = matmul %d, @w : f32[2x3x4]
    output %y
    output %db
    output %dx
  })",
                 R"(graph g {
    input %x : f32[2x3x4]
    param @w : f32[12x4]
    param @p : f32[4x4]
    %cast_0 = cast %x {to=bf16} : bf16[2x3x4]
    %cast_1 = cast @w {to=bf16} : bf16[12x4]
    %qkv = linear %cast_0, %cast_1 {result=bf16} : bf16[2x3x12]
    %a = attention %qkv {heads=2, scale=0.5} : bf16[2x3x4]
    %cast_2 = cast @p {to=bf16} : bf16[4x4]
    %y = linear %a, %cast_2 : f32[2x3x4]
    %cast_3 = cast %y {to=bf16} : bf16[2x3x4]
    %d = attention_grad %qkv, %cast_3 {heads=2, scale=0.5} : bf16[2x3x12]
    %db = reduce_sum %d {axes=[0,1]} : f32[12]
    %dx = matmul %d, %cast_1 : f32[2x3x4]
    output %y
    output %db
    output %dx
  })",
                 5, kBf16);
}

}  // namespace
}  // namespace grimace::testing

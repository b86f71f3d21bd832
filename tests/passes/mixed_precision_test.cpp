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

}  // namespace
}  // namespace grimace::testing

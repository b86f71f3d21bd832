// slice moves up through row-wise ops, sums and the queries of attention, as long as no row is then
// computed twice.
#include "tests/passes/pass_testing.h"

namespace grimace::testing {
namespace {

constexpr double kRounding = 1e-6;

TEST(HoistSlice, ComputesTheLastBlockForTheRowsThatAreRead) {
  expect_rewrite(hoist_slice, R"(graph g {
    input %x : f32[2x5x8]
    param @w : f32[8x8]
    param @s : f32[8]
    param @row : f32[5x8]
    %a = linear %x, @w : f32[2x5x8]
    %h = add %a, @row : f32[2x5x8]
    %n, %mean, %rstd = layer_norm %h, @s, @s {eps=0.01} : f32[2x5x8], f32[2x5], f32[2x5]
    %m = linear %n, @w : f32[2x5x8]  # mlp
    %sum = add %h, %m : f32[2x5x8]
    %y = slice %sum {axis=1, begin=2, end=5} : f32[2x3x8]
    output %y
  })",
                 R"(graph g {
    input %x : f32[2x5x8]
    param @w : f32[8x8]
    param @s : f32[8]
    param @row : f32[5x8]
    %slice_0 = slice %x {axis=1, begin=2, end=5} : f32[2x3x8]
    %a = linear %slice_0, @w : f32[2x3x8]
    %slice_1 = slice @row {axis=0, begin=2, end=5} : f32[3x8]
    %h = add %a, %slice_1 : f32[2x3x8]
    %n, %n.1, %n.2 = layer_norm %h, @s, @s {eps=0.01} : f32[2x3x8], f32[2x3], f32[2x3]
    %m = linear %n, @w : f32[2x3x8]  # mlp
    %y = add %h, %m : f32[2x3x8]
    output %y
  })",
                 5, kRounding);
}

TEST(HoistSlice, AsksAttentionForFewerQueries) {
  expect_rewrite(hoist_slice, R"(graph g {
    input %x : f32[1x5x8]
    param @w : f32[24x8]
    param @b : f32[24]
    param @kv : f32[16x8]
    %qkv = linear %x, @w, @b {bias=true} : f32[1x5x24]  # attn
    %packed = attention %qkv {heads=2, scale=0.5} : f32[1x5x8]
    %y = slice %packed {axis=1, begin=1, end=3} : f32[1x2x8]
    %keys = linear %x, @kv : f32[1x5x16]
    %apart = attention %x, %keys {heads=2, scale=0.5} : f32[1x5x8]
    %z = slice %apart {axis=1, begin=0, end=2} : f32[1x2x8]
    output %y
    output %z
  })",
                 R"(graph g {
    input %x : f32[1x5x8]
    param @w : f32[24x8]
    param @b : f32[24]
    param @kv : f32[16x8]
    %slice_0 = slice %x {axis=1, begin=1, end=3} : f32[1x2x8]  # attn
    %slice_1 = slice @b {axis=0, begin=0, end=8} : f32[8]  # attn
    %slice_2 = slice @w {axis=0, begin=0, end=8} : f32[8x8]  # attn
    %linear_0 = linear %slice_0, %slice_2, %slice_1 {bias=true} : f32[1x2x8]  # attn
    %slice_3 = slice @b {axis=0, begin=8, end=24} : f32[16]  # attn
    %slice_4 = slice @w {axis=0, begin=8, end=24} : f32[16x8]  # attn
    %linear_1 = linear %x, %slice_4, %slice_3 {bias=true} : f32[1x5x16]  # attn
    %y = attention %linear_0, %linear_1 {heads=2, scale=0.5} : f32[1x2x8]
    %keys = linear %x, @kv : f32[1x5x16]
    %slice_5 = slice %x {axis=1, begin=0, end=2} : f32[1x2x8]
    %z = attention %slice_5, %keys {heads=2, scale=0.5} : f32[1x2x8]
    output %y
    output %z
  })",
                 2, kRounding);
}

TEST(HoistSlice, LeavesWhatIsReadElsewhereAndColumnsAlone) {
  expect_unchanged(hoist_slice, R"(graph g {
    input %x : f32[2x5x8]
    param @w : f32[8x8]
    param @s : f32[8]
    %shared = linear %x, @w : f32[2x5x8]
    %a = slice %shared {axis=1, begin=0, end=2} : f32[2x2x8]
    %b = slice %shared {axis=1, begin=2, end=5} : f32[2x3x8]
    %wide = linear %x, @w : f32[2x5x8]
    %c = slice %wide {axis=2, begin=0, end=4} : f32[2x5x4]
    %out = linear %x, @w : f32[2x5x8]
    %d = slice %out {axis=1, begin=0, end=1} : f32[2x1x8]
    %n, %mean, %rstd = layer_norm %x, @s, @s {eps=0.01} : f32[2x5x8], f32[2x5], f32[2x5]
    %e = slice %n {axis=1, begin=0, end=1} : f32[2x1x8]
    %all = linear %x, @w : f32[2x5x8]
    %f = slice %all {axis=1, begin=0, end=5} : f32[2x5x8]
    output %a
    output %b
    output %c
    output %out
    output %d
    output %e
    output %mean
    output %f
  })");
}

}  // namespace
}  // namespace grimace::testing

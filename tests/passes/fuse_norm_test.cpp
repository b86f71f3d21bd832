// The residual's gradient moves into layer_norm_grad, when it is there in time and nothing else
// reads the sum's parts.
#include "tests/passes/pass_testing.h"

namespace grimace::testing {
namespace {

constexpr double kRounding = 1e-6;

TEST(FuseNorm, AddsTheResidualOnEitherSide) {
  expect_rewrite(fuse_norm, R"(graph g {
    input %dy : f32[4x8]
    input %x : f32[4x8]
    input %r : f32[4x8]
    param @w : f32[8]
    input %m : f32[4]
    input %s : f32[4]
    %n = neg %r : f32[4x8]
    %dx, %dw, %db = layer_norm_grad %dy, %x, @w, %m, %s : f32[4x8], f32[8], f32[8]
    %a = add %dx, %n : f32[4x8]
    %dx2, %dw2, %db2 = layer_norm_grad %a, %x, @w, %m, %s : f32[4x8], f32[8], f32[8]
    %c = add %r, %dx2 : f32[4x8]
    output %c
    output %dw
    output %db2
  })",
                 R"(graph g {
    input %dy : f32[4x8]
    input %x : f32[4x8]
    input %r : f32[4x8]
    param @w : f32[8]
    input %m : f32[4]
    input %s : f32[4]
    %n = neg %r : f32[4x8]
    %a, %dw, %db = layer_norm_grad %dy, %x, @w, %m, %s, %n : f32[4x8], f32[8], f32[8]
    %c, %dw2, %db2 = layer_norm_grad %a, %x, @w, %m, %s, %r : f32[4x8], f32[8], f32[8]
    output %c
    output %dw
    output %db2
  })",
                 2, kRounding);
}

TEST(FuseNorm, LeavesSumsAloneThatComeLateOrReadTwiceOrBroadcast) {
  expect_unchanged(fuse_norm, R"(graph g {
    input %dy : f32[4x8]
    input %x : f32[4x8]
    input %r : f32[4x8]
    input %row : f32[8]
    param @w : f32[8]
    input %m : f32[4]
    input %s : f32[4]
    %late, %w1, %b1 = layer_norm_grad %dy, %x, @w, %m, %s : f32[4x8], f32[8], f32[8]
    %n = neg %r : f32[4x8]
    %a = add %late, %n : f32[4x8]
    %twice, %w2, %b2 = layer_norm_grad %dy, %r, @w, %m, %s : f32[4x8], f32[8], f32[8]
    %b = add %twice, %r : f32[4x8]
    %c = neg %twice : f32[4x8]
    %wide, %w3, %b3 = layer_norm_grad %r, %x, @w, %m, %s : f32[4x8], f32[8], f32[8]
    %d = add %wide, %row : f32[4x8]
    %both, %w4, %b4 = layer_norm_grad %r, %r, @w, %m, %s : f32[4x8], f32[8], f32[8]
    %e = add %both, %both : f32[4x8]
    output %a
    output %b
    output %c
    output %d
    output %e
  })");
}

}  // namespace
}  // namespace grimace::testing

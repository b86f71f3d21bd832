// The squared error of a reconstruction target becomes one op, unless the target is read elsewhere.
#include "tests/passes/pass_testing.h"

namespace grimace::testing {
namespace {

constexpr double kRounding = 1e-6;

TEST(FuseLoss, ComparesThePredictionWhereTheTargetIsMade) {
  expect_rewrite(fuse_loss, R"(graph g {
    input %pred : f32[2x2x24]
    input %video : f32[2x3x4x4x4]
    input %index : i32[2x2]
    %target = reconstruction_target %video, %index {group=2, patch=2, tubelet=2} : f32[2x2x24]  # target
    %loss = mean_squared_error %pred, %target : f32[]  # loss
    output %loss
  })",
                 R"(graph g {
    input %pred : f32[2x2x24]
    input %video : f32[2x3x4x4x4]
    input %index : i32[2x2]
    %reconstruction_loss_0, %loss = reconstruction_loss %pred, %video, %index {tubelet=2, patch=2, group=2} : f32[2x2x24], f32[]  # loss
    output %loss
  })",
                 1, kRounding);
}

TEST(FuseLoss, LeavesATargetAloneThatIsReadOrIsThePrediction) {
  expect_unchanged(fuse_loss, R"(graph g {
    input %pred : f32[2x8x24]
    input %video : f32[2x3x4x4x4]
    %seen = reconstruction_target %video {patch=2, tubelet=2} : f32[2x8x24]
    %first = mean_squared_error %pred, %seen : f32[]
    %swapped = reconstruction_target %video {group=2, patch=2, tubelet=2} : f32[2x8x24]
    %second = mean_squared_error %swapped, %pred : f32[]
    %plain = mean_squared_error %pred, %pred : f32[]
    output %seen
    output %first
    output %second
    output %plain
  })");
}

}  // namespace
}  // namespace grimace::testing

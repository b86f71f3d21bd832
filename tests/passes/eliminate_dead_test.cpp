// Dead nodes and constants go; what an output or an update needs stays.
#include "tests/passes/pass_testing.h"

namespace grimace::testing {
namespace {

TEST(EliminateDead, ErasesChainsThatNothingReads) {
  expect_rewrite(eliminate_dead, R"(graph g {
    input %x : f32[4]
    %a = exp %x : f32[4]
    %b = neg %a : f32[4]
    %y = neg %x : f32[4]
    %c = add %a, %b : f32[4]
    output y = %y
  })",
                 R"(graph g {
    input %x : f32[4]
    %y = neg %x : f32[4]
    output y = %y
  })",
                 3);
}

TEST(EliminateDead, ErasesUnusedConstantsButNoOtherInput) {
  expect_rewrite(eliminate_dead, R"(graph g {
    input %x : f32[2]
    input %unused : f32[2]
    param @w : f32[2]
    constant @c : f32[2] = [1,2]
    constant @d : f32[2] = [3,4]
    %y = add %x, @d : f32[2]
    output y = %y
  })",
                 R"(graph g {
    input %x : f32[2]
    input %unused : f32[2]
    param @w : f32[2]
    constant @d : f32[2] = [3,4]
    %y = add %x, @d : f32[2]
    output y = %y
  })",
                 1);
}

TEST(EliminateDead, KeepsUpdatesAndNodesWithOneLiveResult) {
  expect_unchanged(eliminate_dead, R"(graph g {
    input %x : f32[4x2]
    param @w : f32[2]
    %y, %mean, %rstd = layer_norm %x, @w, @w {eps=1e-06} : f32[4x2], f32[4], f32[4]
    %next = neg @w : f32[2]
    output mean = %mean
    update @w = %next
  })");
}

}  // namespace
}  // namespace grimace::testing

// softmax(q k^T) v becomes attention, wherever in packed projections q, k and v lie.
#include "tests/passes/pass_testing.h"

namespace grimace::testing {
namespace {

constexpr double kRounding = 1e-6;

int fuse_and_clean(Graph& graph) {
  const int fired = fuse_attention(graph);
  canonicalise(graph);
  eliminate_dead(graph);
  return fired;
}

TEST(FuseAttention, ReadsOnePackedProjectionInPlace) {
  expect_rewrite(fuse_and_clean, R"(graph g {
    input %qkv : f32[2x5x24]
    %parts = reshape %qkv {shape=[2,5,3,2,4]} : f32[2x5x3x2x4]
    %turned = transpose %parts {permutation=[2,0,3,1,4]} : f32[3x2x2x5x4]
    %q0 = slice %turned {axis=0, begin=0, end=1} : f32[1x2x2x5x4]
    %q = reshape %q0 {shape=[2,2,5,4]} : f32[2x2x5x4]
    %k0 = slice %turned {axis=0, begin=1, end=2} : f32[1x2x2x5x4]
    %k = reshape %k0 {shape=[2,2,5,4]} : f32[2x2x5x4]
    %v0 = slice %turned {axis=0, begin=2, end=3} : f32[1x2x2x5x4]
    %v = reshape %v0 {shape=[2,2,5,4]} : f32[2x2x5x4]
    %half = full {value=0.5, shape=[], dtype=f32} : f32[]
    %scaled = mul %q, %half : f32[2x2x5x4]
    %s = matmul %scaled, %k {transpose_b=true} : f32[2x2x5x5]
    %w = softmax %s : f32[2x2x5x5]
    %o = matmul %w, %v : f32[2x2x5x4]
    %t = transpose %o {permutation=[0,2,1,3]} : f32[2x5x2x4]
    %y = reshape %t {shape=[2,5,8]} : f32[2x5x8]
    %z = neg %y : f32[2x5x8]
    output %z
  })",
                 R"(graph g {
    input %qkv : f32[2x5x24]
    %y = attention %qkv {heads=2, scale=0.5} : f32[2x5x8]
    %z = neg %y : f32[2x5x8]
    output %z
  })",
                 1, kRounding);
}

TEST(FuseAttention, ReadsAQueryAndAPackedContextInPlace) {
  expect_rewrite(fuse_and_clean, R"(graph g {
    input %x : f32[2x3x8]
    input %kv : f32[2x5x16]
    %xh = reshape %x {shape=[2,3,2,4]} : f32[2x3x2x4]
    %q = transpose %xh {permutation=[0,2,1,3]} : f32[2x2x3x4]
    %parts = reshape %kv {shape=[2,5,2,2,4]} : f32[2x5x2x2x4]
    %turned = transpose %parts {permutation=[2,0,3,4,1]} : f32[2x2x2x4x5]
    %k0 = slice %turned {axis=0, begin=0, end=1} : f32[1x2x2x4x5]
    %k = reshape %k0 {shape=[2,2,4,5]} : f32[2x2x4x5]
    %v0 = slice %turned {axis=0, begin=1, end=2} : f32[1x2x2x4x5]
    %v = reshape %v0 {shape=[2,2,4,5]} : f32[2x2x4x5]
    %s = matmul %q, %k : f32[2x2x3x5]
    %quarter = full {value=0.25, shape=[], dtype=f32} : f32[]
    %scaled = mul %s, %quarter : f32[2x2x3x5]
    %w = softmax %scaled : f32[2x2x3x5]
    %o = matmul %w, %v {transpose_b=true} : f32[2x2x3x4]
    %t = transpose %o {permutation=[0,2,1,3]} : f32[2x3x2x4]
    %y = reshape %t {shape=[2,3,8]} : f32[2x3x8]
    %z = neg %y : f32[2x3x8]
    output %z
  })",
                 R"(graph g {
    input %x : f32[2x3x8]
    input %kv : f32[2x5x16]
    %y = attention %x, %kv {heads=2, scale=0.25} : f32[2x3x8]
    %z = neg %y : f32[2x3x8]
    output %z
  })",
                 1, kRounding);
}

TEST(FuseAttention, CutsOutPartsThatLieElsewhere) {
  expect_rewrite(fuse_and_clean, R"(graph g {
    input %vk : f32[1x5x8]
    input %x : f32[1x3x4]
    %q = reshape %x {shape=[1,1,3,4]} : f32[1x1x3x4]
    %v = slice %vk {axis=2, begin=0, end=4} : f32[1x5x4]
    %vh = reshape %v {shape=[1,1,5,4]} : f32[1x1x5x4]
    %k = slice %vk {axis=2, begin=4, end=8} : f32[1x5x4]
    %kh = reshape %k {shape=[1,1,5,4]} : f32[1x1x5x4]
    %s = matmul %q, %kh {transpose_b=true} : f32[1x1x3x5]
    %w = softmax %s : f32[1x1x3x5]
    %o = matmul %w, %vh : f32[1x1x3x4]
    %z = neg %o : f32[1x1x3x4]
    output %z
  })",
                 R"(graph g {
    input %vk : f32[1x5x8]
    input %x : f32[1x3x4]
    %slice_0 = slice %vk {axis=2, begin=4, end=8} : f32[1x5x4]
    %slice_1 = slice %vk {axis=2, begin=0, end=4} : f32[1x5x4]
    %attention_0 = attention %x, %slice_0, %slice_1 {heads=1, scale=1} : f32[1x3x4]
    %o = reshape %attention_0 {shape=[1,1,3,4]} : f32[1x1x3x4]
    %z = neg %o : f32[1x1x3x4]
    output %z
  })",
                 1, kRounding);
}

TEST(FuseAttention, StaysAwayFromWhatIsReadElsewhereOrLiesOtherwise) {
  expect_unchanged(fuse_attention, R"(graph g {
    input %q : f32[2x2x3x4]
    input %k : f32[2x2x5x4]
    input %v : f32[2x2x5x4]
    input %wide : f32[2x2x5x6]
    input %rows : f32[2x3x8]
    input %more : f32[2x5x8]
    input %shared : f32[5x4]
    %s = matmul %q, %k {transpose_b=true} : f32[2x2x3x5]
    %w = softmax %s : f32[2x2x3x5]
    %heads_first = matmul %w, %v : f32[2x2x3x4]
    %s1 = matmul %q, %k {transpose_b=true} : f32[2x2x3x5]
    %w1 = softmax %s1 : f32[2x2x3x5]
    %seen = matmul %w1, %v : f32[2x2x3x4]
    %s2 = matmul %q, %k {transpose_b=true} : f32[2x2x3x5]
    %w2 = softmax %s2 : f32[2x2x3x5]
    %other_width = matmul %w2, %wide : f32[2x2x3x6]
    %s3 = matmul %rows, %more {transpose_b=true} : f32[2x3x5]
    %w3 = softmax %s3 : f32[2x3x5]
    %no_heads = matmul %w3, %more : f32[2x3x8]
    %s4 = matmul %q, %shared {transpose_b=true} : f32[2x2x3x5]
    %w4 = softmax %s4 : f32[2x2x3x5]
    %shared_values = matmul %w4, %shared : f32[2x2x3x4]
    output %heads_first
    output %seen
    output %w1
    output %other_width
    output %no_heads
    output %shared_values
  })");
}

}  // namespace
}  // namespace grimace::testing

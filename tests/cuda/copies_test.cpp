// Ops that move elements must move them exactly, for every element size, word width and way: words
// of rows, tiles, single elements, more work than the grid; small shapes are the op cases'.
#include <gmock/gmock.h>

#include "tests/cuda/gpu_run.h"

namespace grimace {
namespace {

using testing::expect_gpu_agrees;
using testing::GpuRun;
using ::testing::HasSubstr;

constexpr DType kTypes[] = {DType::f32, DType::bf16, DType::u8, DType::i64};

std::string expect_exact(DType dtype, const Shape& shape,
                         const std::function<void(Builder&, Value)>& build, bool small = false) {
  return expect_gpu_agrees(
      [&](Builder& g) {
        build(g, g.input("x", {dtype, shape}));
      },
      0.0,
      [&](GpuRun& run) {
        if (small) run.context.properties.multiprocessors = 1;
      });
}

TEST(CudaCopies, OpCasesAgree) {
  testing::expect_gpu_agrees_on_op_cases(
      {&op_transpose, &op_broadcast, &op_slice, &op_pad, &op_concat});
}

TEST(CudaCopies, TransposeIsExact) {
  const std::pair<Shape, std::vector<int64_t>> cases[] = {
      {{70, 133}, {1, 0}},
      {{32, 64}, {1, 0}},
      {{2, 11, 3, 64}, {0, 2, 1, 3}},
      {{2, 5, 3, 65}, {0, 2, 1, 3}},
      {{4, 11, 3, 8, 16}, {2, 0, 3, 1, 4}},
      {{2, 3, 4, 2, 2, 8, 2, 8}, {0, 2, 4, 6, 3, 5, 7, 1}},  // cubes of pixels, colours last
      {{2, 3, 4, 2, 2, 8, 2, 8}, {0, 2, 4, 6, 1, 3, 5, 7}},  // colours first
      {{2, 4, 2, 2, 2, 8, 8, 3}, {0, 7, 1, 4, 2, 5, 3, 6}},  // and back
      {{40, 2, 33}, {2, 1, 0}},
      {{2, 33, 100}, {0, 2, 1}},
      {{3, 17, 5, 19}, {3, 2, 0, 1}},
      {{6, 7}, {0, 1}},
  };
  for (const DType dtype : kTypes)
    for (const auto& [shape, permutation] : cases)
      expect_exact(dtype, shape, [&](Builder& g, Value x) { g.transpose(x, permutation); });
}

TEST(CudaCopies, TransposeUsesWordsOfRowsAndTiles) {
  const auto name = [](DType dtype, const Shape& shape, std::vector<int64_t> permutation) {
    return expect_exact(dtype, shape, [&](Builder& g, Value x) { g.transpose(x, permutation); });
  };
  EXPECT_THAT(name(DType::f32, {2, 11, 3, 64}, {0, 2, 1, 3}), HasSubstr("in words of 16"));
  EXPECT_THAT(name(DType::bf16, {2, 11, 3, 12}, {0, 2, 1, 3}), HasSubstr("in words of 8"));
  EXPECT_THAT(name(DType::u8, {2, 11, 3, 7}, {0, 2, 1, 3}), HasSubstr("in words of 1,"));
  EXPECT_THAT(name(DType::bf16, {5, 33, 40}, {0, 2, 1}), HasSubstr("tiles of 40x33"));
  EXPECT_THAT(name(DType::bf16, {5, 3, 40}, {0, 2, 1}), HasSubstr("in words of 2"));
}

TEST(CudaCopies, MoreThanTheGridIsLoopedOver) {
  const auto grid = HasSubstr("grid 32,");
  for (const DType dtype : {DType::f32, DType::bf16}) {
    EXPECT_THAT(expect_exact(
                    dtype, {60000, 3},
                    [](Builder& g, Value x) {
                      g.transpose(x, {1, 0});
                    },
                    true),
                grid);
    EXPECT_THAT(expect_exact(
                    dtype, {30, 35, 129},
                    [](Builder& g, Value x) {
                      g.transpose(x, {1, 0, 2});
                    },
                    true),
                grid);
    EXPECT_THAT(expect_exact(
                    dtype, {300, 617}, [](Builder& g, Value x) { g.slice(x, 1, 3, 520); }, true),
                grid);
    EXPECT_THAT(expect_exact(
                    dtype, {301, 1},
                    [](Builder& g, Value x) {
                      g.broadcast(x, {301, 517});
                    },
                    true),
                grid);
  }
}

TEST(CudaCopies, BroadcastIsExact) {
  const std::pair<Shape, Shape> cases[] = {
      {{1}, {30, 31}},         {{5, 1}, {5, 70}},         {{5, 1}, {5, 64}},
      {{2, 1, 3}, {2, 40, 3}}, {{4, 1, 33}, {4, 90, 33}}, {{4, 1, 32}, {4, 90, 32}},
  };
  for (const DType dtype : kTypes)
    for (const auto& [from, to] : cases)
      expect_exact(dtype, from, [&](Builder& g, Value x) { g.broadcast(x, to); });
}

TEST(CudaCopies, SliceAndPadAreExact) {
  for (const DType dtype : kTypes)
    for (const Shape& shape : {Shape{9, 11, 65}, {9, 11, 64}})
      for (const int64_t axis : {0, 1, 2}) {
        expect_exact(dtype, shape, [&](Builder& g, Value x) { g.slice(x, axis, 2, 7); });
        expect_exact(dtype, shape, [&](Builder& g, Value x) { g.slice(x, axis, 4, 8); });
        expect_exact(dtype, shape, [&](Builder& g, Value x) { g.slice(x, axis, 3, 3); });
        expect_exact(dtype, shape, [&](Builder& g, Value x) { g.pad(x, axis, 3, 4); });
        expect_exact(dtype, shape, [&](Builder& g, Value x) { g.pad(x, axis, 8, 0); });
        expect_exact(dtype, shape, [&](Builder& g, Value x) { g.pad(x, axis, 0, 1); });
      }
}

TEST(CudaCopies, ConcatIsExactForAFewAndForManyInputs) {
  for (const DType dtype : kTypes)
    for (const int64_t count : {2, 3, 16, 17, 40})
      for (const int64_t axis : {0, 1, 2})
        expect_exact(dtype, {3, 4, 5}, [&](Builder& g, Value x) {
          std::vector<Value> all{x};
          for (int64_t i = 1; i < count; ++i) {
            std::vector<int64_t> dims{3, 4, 5};
            dims[static_cast<size_t>(axis)] = i % 4;
            all.push_back(g.input(cat("x", i), {dtype, Shape(dims)}));
          }
          g.concat(all, axis);
        });
}

TEST(CudaCopies, TokensAreJoinedInWordsOf16) {
  EXPECT_THAT(expect_exact(DType::bf16, {3, 1, 64},
                           [](Builder& g, Value x) {
                             g.concat({x, g.input("y", {DType::bf16, {3, 10, 64}})}, 1);
                           }),
              HasSubstr("concat bf16, 2 parts in words of 16"));
  EXPECT_THAT(
      expect_exact(DType::bf16, {3, 11, 64}, [](Builder& g, Value x) { g.slice(x, 1, 1, 11); }),
      HasSubstr("slice bf16, 1 part in words of 16"));
}

}  // namespace
}  // namespace grimace

// Ops on token numbers: exact moves, sums in the reference's order, and bad numbers as faults.
#include <gmock/gmock.h>

#include "tests/cuda/gpu_run.h"

namespace grimace {
namespace {

using testing::expect_gpu_agrees;
using testing::gpu_fault_of;
using testing::GpuRun;
using ::testing::HasSubstr;

constexpr DType kTypes[] = {DType::f32, DType::bf16, DType::u8, DType::i64};

// Some rows often, some never.
void set_index(Tensor& index, int64_t rows) {
  const auto values = index.as<int32_t>();
  for (size_t i = 0; i < values.size(); ++i)
    values[i] = static_cast<int32_t>((i * 7 + i / 3) % static_cast<size_t>(rows));
}

testing::BuildNode gather(DType dtype, const Shape& table, int64_t batch, int64_t count) {
  return [=](Builder& g) {
    g.gather_rows(g.input("x", {dtype, table}), g.input("i", {DType::i32, {batch, count}}));
  };
}
testing::BuildNode scatter(DType dtype, const Shape& x, int64_t rows, bool shared) {
  return [=](Builder& g) {
    g.scatter_rows(g.input("x", {dtype, x}), g.input("i", {DType::i32, {x[0], x[1]}}), rows,
                   shared);
  };
}

TEST(CudaTokens, OpCasesAgree) {
  testing::expect_gpu_agrees_on_op_cases(
      {&op_gather_rows, &op_scatter_rows, &op_mask_indices, &op_one_hot});
}

TEST(CudaTokens, GatherIsExact) {
  for (const DType dtype : kTypes)
    for (const int64_t cols : {33, 64, 4, 1})
      for (const bool shared : {true, false})
        expect_gpu_agrees(gather(dtype, shared ? Shape{80, cols} : Shape{3, 80, cols}, 3, 72), 0.0,
                          [](GpuRun& run) { set_index(run.inputs[1], 80); });
}

TEST(CudaTokens, GatherLoopsOverMoreThanTheGridInWordsOf16) {
  const std::string name =
      expect_gpu_agrees(gather(DType::bf16, {3, 80, 512}, 3, 792), 0.0, [](GpuRun& run) {
        set_index(run.inputs[1], 80);
        run.context.properties.multiprocessors = 1;
      });
  EXPECT_THAT(name, HasSubstr("words of 16, grid 32,"));
}

TEST(CudaTokens, ScatterAddsInTheReferencesOrder) {
  for (const DType dtype : {DType::f32, DType::bf16, DType::f16})
    for (const int64_t cols : {1, 130, 132, 520, 1032})
      for (const bool shared : {true, false})
        for (const int64_t rows : {1, 12, 90})
          expect_gpu_agrees(scatter(dtype, {3, 70, cols}, rows, shared), 0.0,
                            [&](GpuRun& run) { set_index(run.inputs[1], rows); });
}

TEST(CudaTokens, ScatterLoopsOverMoreThanTheGrid) {
  EXPECT_THAT(expect_gpu_agrees(scatter(DType::f32, {2, 40, 16}, 200, false), 0.0,
                                [](GpuRun& run) {
                                  set_index(run.inputs[1], 200);
                                  run.context.properties.multiprocessors = 1;
                                }),
              HasSubstr("grid 32,"));
}

TEST(CudaTokens, IndicesOutOfRangeAreFaults) {
  const auto with = [](size_t input, size_t place, int32_t value) {
    return [=](GpuRun& run) {
      for (int32_t& i : run.inputs[input].as<int32_t>()) i = 0;
      run.inputs[input].as<int32_t>()[place] = value;
    };
  };
  for (const int32_t bad : {-1, 5, 1 << 30, std::numeric_limits<int32_t>::min()}) {
    for (const Shape& table : {Shape{5, 33}, {2, 5, 64}})
      EXPECT_THAT(gpu_fault_of(gather(DType::f32, table, 2, 4), with(1, 7, bad)),
                  HasSubstr("gather_rows"));
    for (const bool shared : {true, false})
      EXPECT_THAT(gpu_fault_of(scatter(DType::f32, {2, 4, 3}, 5, shared), with(1, 7, bad)),
                  HasSubstr(": an index is outside 0..4"));
    EXPECT_THAT(gpu_fault_of(
                    [](Builder& g) {
                      g.emit(op_one_hot, {g.input("l", {DType::i32, {3}})}, {{"classes", 5}});
                    },
                    with(0, 2, bad)),
                HasSubstr(": a label is outside 0..4"));
  }
  EXPECT_EQ(gpu_fault_of(gather(DType::f32, {5, 33}, 2, 4), with(1, 7, 4)), "");
}

testing::BuildNode indices(const Shape& mask, int64_t value, int64_t count) {
  return [=](Builder& g) {
    g.emit(op_mask_indices, {g.input("m", {DType::u8, mask})},
           {{"value", value}, {"count", count}});
  };
}
// Ones where `of` of a row's `period` tokens are.
void set_mask(GpuRun& run, size_t period, size_t of) {
  const auto mask = run.inputs[0].as<uint8_t>();
  for (size_t i = 0; i < mask.size(); ++i) mask[i] = i % period < of ? 1 : 0;
}

TEST(CudaTokens, MaskIndicesOfRowsThatAreNoMultipleOfAWarp) {
  for (const int64_t tokens : {10, 30, 70, 800})
    for (const int64_t value : {0, 1})
      expect_gpu_agrees(
          indices({37, tokens}, value, value == 1 ? tokens / 10 * 3 : tokens / 10 * 7), 0.0,
          [](GpuRun& run) {
            set_mask(run, 10, 3);
            run.context.properties.multiprocessors = 1;
          });
}

TEST(CudaTokens, AMaskOfAnotherCountIsAFault) {
  const auto three_of_ten = [](GpuRun& run) { set_mask(run, 10, 3); };
  for (const int64_t count : {0, 11, 13, 40})
    EXPECT_THAT(gpu_fault_of(indices({3, 40}, 1, count), three_of_ten),
                HasSubstr(cat(": a mask row has another number of tokens of value 1; the graph was "
                              "built for ",
                              count)));
  EXPECT_THAT(gpu_fault_of(indices({3, 40}, 1, 12),
                           [](GpuRun& run) {
                             set_mask(run, 10, 3);
                             run.inputs[0].as<uint8_t>()[119] =
                                 1;  // the last token of the last row
                           }),
              HasSubstr("built for 12"));
  EXPECT_EQ(gpu_fault_of(indices({3, 40}, 1, 12), three_of_ten), "");
  EXPECT_EQ(gpu_fault_of(indices({3, 40}, 300, 0), three_of_ten), "");
}

TEST(CudaTokens, OneHotInEveryFloat) {
  for (const DType dtype : {DType::f32, DType::bf16, DType::f16})
    expect_gpu_agrees(
        [&](Builder& g) {
          g.emit(op_one_hot, {g.input("l", {DType::i32, {50}})},
                 {{"classes", int64_t{11}}, {"dtype", dtype}});
        },
        0.0, [](GpuRun& run) { set_index(run.inputs[0], 11); });
}

}  // namespace
}  // namespace grimace

// Ops without tensors to read give the reference's numbers bit for bit.
#include <gmock/gmock.h>

#include "tests/cuda/gpu_run.h"

namespace grimace {
namespace {

using testing::expect_gpu_agrees;
using testing::GpuRun;
using ::testing::HasSubstr;

constexpr DType kFloats[] = {DType::f32, DType::bf16, DType::f16};

void on_a_small_gpu(GpuRun& run) {
  run.context.properties.multiprocessors = 1;
}

TEST(CudaSources, OpCasesAgree) {
  testing::expect_gpu_agrees_on_op_cases({&op_full, &op_position_table, &op_random_uniform});
}

TEST(CudaSources, FullInEveryType) {
  for (const DType dtype : {DType::f32, DType::bf16, DType::f16, DType::f64, DType::i32, DType::i64,
                            DType::u8, DType::boolean})
    for (const int64_t count : {1, 15, 16, 1003})
      for (const double value : {0.0, 1.0, 0.1, 97.0})
        expect_gpu_agrees(
            [&](Builder& g) {
              g.emit(op_full, {},
                     {{"value", value}, {"shape", std::vector{count}}, {"dtype", dtype}});
            },
            0.0);
}

TEST(CudaSources, FullLoopsOverMoreThanTheGrid) {
  EXPECT_THAT(expect_gpu_agrees(
                  [](Builder& g) {
                    g.full(2.5, {301, 517});
                  },
                  0.0, on_a_small_gpu),
              HasSubstr("grid 32,"));
}

// On a GPU sine and cosine in double may differ in their last bit, and then, rarely, as floats.
TEST(CudaSources, PositionTableInEveryFloat) {
  for (const DType dtype : kFloats)
    expect_gpu_agrees(
        [&](Builder& g) {
          g.emit(op_position_table, {},
                 {{"rows", int64_t{800}}, {"dim", int64_t{24}}, {"dtype", dtype}});
        },
        dtype == DType::f32 ? 1e-9 : 1e-5, on_a_small_gpu);
}

TEST(CudaSources, UniformNumbersAreTheReferencesBitForBit) {
  for (const DType dtype : kFloats)
    for (const auto& [seed, step] :
         {std::pair<int64_t, int64_t>{0, 0}, {-1, 5}, {int64_t{1} << 40, int64_t{1} << 33}})
      expect_gpu_agrees(
          [&](Builder& g) {
            g.emit(op_random_uniform,
                   {g.input("seed", {DType::i64, {}}), g.input("step", {DType::i64, {}})},
                   {{"site", int64_t{77}},
                    {"shape", std::vector<int64_t>{151, 259}},
                    {"dtype", dtype}});
          },
          0.0,
          [&](GpuRun& run) {
            run.inputs[0].as<int64_t>()[0] = seed;
            run.inputs[1].as<int64_t>()[0] = step;
            on_a_small_gpu(run);
          });
}

}  // namespace
}  // namespace grimace

// Element types, shapes and their limits, and the two 16-bit floats over all their patterns.
#include "ir/types.h"

#include <gtest/gtest.h>

#include <cmath>

#include "ir/float16.h"
#include "tests/ir/random_graph.h"

namespace grimace {
namespace {

using testing::error_of;

struct Row {
  DType dtype;
  std::string_view name;
  int64_t size;
  bool is_float;
};
constexpr std::array<Row, 8> kRows{{{DType::f32, "f32", 4, true},
                                    {DType::bf16, "bf16", 2, true},
                                    {DType::f16, "f16", 2, true},
                                    {DType::f64, "f64", 8, true},
                                    {DType::i32, "i32", 4, false},
                                    {DType::i64, "i64", 8, false},
                                    {DType::u8, "u8", 1, false},
                                    {DType::boolean, "bool", 1, false}}};

TEST(Types, EveryElementTypeHasItsNameAndSize) {
  for (const Row& row : kRows) {
    EXPECT_EQ(name_of(row.dtype), row.name);
    EXPECT_EQ(dtype_from(row.name), row.dtype);
    EXPECT_EQ(size_of(row.dtype), row.size);
    EXPECT_EQ(is_float(row.dtype), row.is_float);
  }
}

TEST(Types, AnUnknownElementTypeIsNamedWithTheKnownOnes) {
  EXPECT_EQ(error_of([] { dtype_from("float"); }),
            "unknown element type 'float'; known are f32, bf16, f16, f64, i32, i64, u8, bool");
}

TEST(Types, AShapeKnowsItsElementsAxesAndStrides) {
  const Shape shape{8, 101, 512};
  EXPECT_EQ(shape.rank(), 3);
  EXPECT_EQ(shape.numel(), 8 * 101 * 512);
  EXPECT_EQ(shape[0], 8);
  EXPECT_EQ(shape[-1], 512);
  EXPECT_EQ(shape.strides()[0], 101 * 512);
  EXPECT_EQ(shape.strides()[1], 512);
  EXPECT_EQ(shape.strides()[2], 1);
  EXPECT_EQ(Shape{}.numel(), 1);
  EXPECT_EQ((Shape{3, 0, 2}).numel(), 0);
}

TEST(Types, TypesPrintAsInTheTextForm) {
  EXPECT_EQ(to_string(TensorType{DType::f32, {8, 101, 512}}), "f32[8x101x512]");
  EXPECT_EQ(to_string(TensorType{DType::boolean, {}}), "bool[]");
  EXPECT_EQ(cat(Shape{2, 3}, " ", DType::u8), "[2x3] u8");
}

TEST(Types, BytesCountTheElementSize) {
  EXPECT_EQ((TensorType{DType::f64, {2, 3}}).bytes(), 48);
  EXPECT_EQ((TensorType{DType::bf16, {}}).bytes(), 2);
}

TEST(Types, ShapesBeyondTheLimitsAreRefused) {
  EXPECT_EQ(error_of([] {
              Shape({1, 1, 1, 1, 1, 1, 1, 1, 1});
            }),
            "a shape has at most 8 dimensions; got 9");
  EXPECT_EQ(error_of([] { Shape({2, -1}); }), "a dimension must not be negative; got -1");
  EXPECT_EQ(error_of([] {
              Shape({int64_t{1} << 20, int64_t{1} << 20, 2});
            }),
            "a shape with a dimension of 2 exceeds the limit of 2^40 elements");
  EXPECT_EQ(error_of([] {
              Shape({INT64_MAX, INT64_MAX});
            }),
            "a shape with a dimension of 9223372036854775807 exceeds the limit of 2^40 elements");
  EXPECT_EQ(error_of([] {
              Shape({0, INT64_MAX});
            }),
            "a shape with a dimension of 9223372036854775807 exceeds the limit of 2^40 elements");
  EXPECT_EQ(Shape({int64_t{1} << 20, int64_t{1} << 20}).numel(), kMaxElements);
}

TEST(Types, AZeroHidesNoShapeWhoseStridesOverflow) {
  EXPECT_EQ(error_of([] {
              Shape({0, kMaxElements, kMaxElements});
            }),
            "a shape with a dimension of 1099511627776 exceeds the limit of 2^40 elements");
  EXPECT_EQ(error_of([] {
              Shape({kMaxElements, 2, 0});
            }),
            "a shape with a dimension of 2 exceeds the limit of 2^40 elements");
  EXPECT_EQ((Shape{kMaxElements, 0}).numel(), 0);
}

// Every finite and infinite pattern comes back; a NaN stays a NaN.
template <typename T>
void expect_every_pattern_round_trips() {
  for (uint32_t bits = 0; bits < 65536; ++bits) {
    T value;
    value.bits = static_cast<uint16_t>(bits);
    const auto wide = static_cast<float>(value);
    if (std::isnan(wide)) {
      EXPECT_TRUE(std::isnan(static_cast<float>(T(wide)))) << bits;
    } else {
      EXPECT_EQ(T(wide).bits, bits);
    }
  }
}

TEST(Float16, EveryBfloat16PatternRoundTrips) {
  expect_every_pattern_round_trips<bf16>();
}
TEST(Float16, EveryFloat16PatternRoundTrips) {
  expect_every_pattern_round_trips<f16>();
}

// Halfway between neighbours goes to the even one, a little more or less to the nearer one.
template <typename T>
void expect_nearest_even(uint32_t first_infinite) {
  for (uint32_t bits = 0; bits + 1 < first_infinite; ++bits) {
    T low, high;
    low.bits = static_cast<uint16_t>(bits);
    high.bits = static_cast<uint16_t>(bits + 1);
    const double middle = (double{static_cast<float>(low)} + double{static_cast<float>(high)}) / 2;
    const auto exact = static_cast<float>(middle);
    EXPECT_EQ(T(exact).bits, bits % 2 == 0 ? bits : bits + 1);
    EXPECT_EQ(T(std::nextafterf(exact, 0.0f)).bits, bits);
    EXPECT_EQ(T(std::nextafterf(exact, INFINITY)).bits, bits + 1);
    EXPECT_EQ(T(-exact).bits, 0x8000 | (bits % 2 == 0 ? bits : bits + 1));
  }
}

TEST(Float16, Bfloat16RoundsToNearestEven) {
  expect_nearest_even<bf16>(0x7f80);
}
TEST(Float16, Float16RoundsToNearestEven) {
  expect_nearest_even<f16>(0x7c00);
}

TEST(Float16, ValuesBeyondTheRangeBecomeInfinite) {
  EXPECT_EQ(f16(65519.0f).bits, 0x7bff);
  EXPECT_EQ(f16(65520.0f).bits, 0x7c00);
  EXPECT_EQ(f16(-1e9f).bits, 0xfc00);
  EXPECT_EQ(bf16(3.4e38f).bits, 0x7f80);
  EXPECT_EQ(f16(1e-9f).bits, 0);
  EXPECT_EQ(f16(0.0f).bits, 0);
  EXPECT_EQ(f16(-0.0f).bits, 0x8000);
}

}  // namespace
}  // namespace grimace

// What the reference kernels compute, against numbers worked out elsewhere: by hand, or to twenty
// digits with an arbitrary-precision calculator.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "ir/builder.h"
#include "ir/interpret.h"
#include "ir/op_def.h"
#include "tests/testing.h"

namespace grimace {
namespace {

using ::testing::ElementsAre;

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();

// A graph whose inputs are given with their values.
struct Sums {
  Graph graph{"sums"};
  Builder b{graph};
  std::map<std::string, Buffer> inputs;

  template <typename T>
  Value given(const Shape& shape, const std::vector<T>& values) {
    Buffer buffer({DTypeOf<T>::value, shape});
    const auto to = buffer.view().as<T>();
    EXPECT_EQ(values.size(), to.size());
    std::copy(values.begin(), values.end(), to.begin());
    const std::string name = cat("in", inputs.size());
    inputs[name] = buffer;
    return b.input(name, buffer.type);
  }
  Value mask(const Shape& shape, const std::vector<uint8_t>& values) {
    return given(shape, values);
  }
  Value scalar(double value) { return given<double>({}, {value}); }

  template <typename T = double>
  std::vector<T> result(Value value) {
    const std::string name = cat("out", graph.outputs().size());
    b.output(name, value);
    const Interpretation done = interpret(graph, inputs);
    const auto numbers = done.outputs.at(name).view().as<T>();
    return {numbers.begin(), numbers.end()};
  }
  std::string run_error(Value value) {
    return testing::error_of<RunError>([&] { result<float>(value); });
  }
};

void expect_near(const std::vector<double>& actual, const std::vector<double>& expected,
                 double limit = 1e-14) {
  ASSERT_EQ(actual.size(), expected.size());
  for (size_t i = 0; i < actual.size(); ++i) EXPECT_NEAR(actual[i], expected[i], limit) << i;
}

TEST(Gelu, is_the_exact_form) {
  Sums s;
  const Value x = s.given<double>({6}, {0.0, 1.0, -1.0, 0.5, 3.0, -8.0});
  expect_near(s.result(s.b.gelu(x)),
              {0.0, 0.84134474606854294859, -0.15865525393145705141, 0.34573123063700655,
               2.99595030590511, -4.97676845942e-15},
              1e-12);
}

TEST(Softmax, normalises_rows_however_large) {
  Sums s;
  const Value x = s.given<double>({2, 3}, {0.0, std::log(2.0), std::log(5.0), 1e4, 1e4, -1e4});
  expect_near(s.result(s.b.softmax(x)), {0.125, 0.25, 0.625, 0.5, 0.5, 0.0});
}

TEST(LayerNorm, uses_the_biased_variance_and_returns_the_statistics) {
  Sums s;
  // Rows of mean 3 and 0, variance 4 (biased) and 0.
  const Value x = s.given<double>({2, 4}, {1, 1, 5, 5, 0, 0, 0, 0});
  const Value weight = s.given<double>({4}, {1, 2, 3, 4});
  const Value bias = s.given<double>({4}, {0, 0, 0, 10});
  const auto y = s.b.emit_all(op_layer_norm, {x, weight, bias}, {{"eps", 0.0625}});
  const double r = 1.0 / std::sqrt(4.0625);
  expect_near(s.result(y[0]), {-2 * r, -4 * r, 6 * r, 10 + 8 * r, 0, 0, 0, 10});
  expect_near(s.result(y[1]), {3, 0});
  expect_near(s.result(y[2]), {r, 4});
}

TEST(CrossEntropy, is_the_soft_target_form) {
  Sums s;
  // softmax = {1/8, 1/4, 5/8}, and a row that would overflow without the shift.
  const Value logits = s.given<double>({2, 3}, {0, std::log(2.0), std::log(5.0), 1000, 0, 0});
  const Value target = s.given<double>({2, 3}, {0.5, 0.5, 0, 0, 1, 0});
  expect_near(s.result(s.b.cross_entropy(logits, target)),
              {0.5 * std::log(8.0) + 0.5 * std::log(4.0), 1000}, 1e-12);
}

std::vector<std::vector<double>> one_step(bool apply, bool decay, double grad) {
  Sums s;
  const auto next = s.b.emit_all(
      op_adamw,
      {s.scalar(2.0), s.scalar(0.5), s.scalar(0.25), s.scalar(grad), s.scalar(0.1), s.scalar(0.2),
       s.scalar(0.5), s.given<int64_t>({}, {2}), s.given<bool>({}, {apply})},
      {{"beta1", 0.5}, {"beta2", 0.75}, {"eps", 0.25}, {"lr_scale", 0.5}, {"decay", decay}});
  return {s.result(next[0]), s.result(next[1]), s.result(next[2])};
}

TEST(AdamW, takes_this_step) {
  // g = 3 * 0.5 = 1.5, m = 0.25 + 0.75 = 1, v = 0.1875 + 0.5625 = 0.75, l = 0.05,
  // corrections 1 - 0.5^2 = 0.75 and 1 - 0.75^2 = 0.4375.
  const double moved = 0.05 / 0.75 * 1.0 / (std::sqrt(0.75 / 0.4375) + 0.25);
  const auto with_decay = one_step(true, true, 3.0);
  expect_near(with_decay[0], {2.0 - 0.05 * 0.2 * 2.0 - moved});
  expect_near(with_decay[1], {1.0});
  expect_near(with_decay[2], {0.75});
  expect_near(one_step(true, false, 3.0)[0], {2.0 - moved});
}

TEST(AdamW, changes_nothing_when_it_does_not_apply) {
  for (const double grad : {3.0, kNaN, kInfinity}) {
    const auto next = one_step(false, true, grad);
    EXPECT_THAT(next[0], ElementsAre(2.0));
    EXPECT_THAT(next[1], ElementsAre(0.5));
    EXPECT_THAT(next[2], ElementsAre(0.25));
  }
}

TEST(IsFinite, refuses_infinities_and_nan) {
  Sums s;
  const Value x = s.given<double>({4}, {0.0, kNaN, kInfinity, -kInfinity});
  EXPECT_THAT(s.result<bool>(s.b.is_finite(x)), ElementsAre(true, false, false, false));
}

TEST(Cast, truncates_towards_zero_and_rounds_to_nearest_even) {
  Sums s;
  const Value x = s.given<float>({4}, {-1.75f, 2.5f, 1.00390625f, 1.01171875f});
  EXPECT_THAT(s.result<int32_t>(s.b.cast(x, DType::i32)), ElementsAre(-1, 2, 1, 1));
  // bf16 keeps 8 bits: 1 + 1/256 and 1 + 3/256 lie half way between neighbours.
  EXPECT_THAT(s.result<float>(s.b.cast(s.b.cast(x, DType::bf16), DType::f32)),
              ElementsAre(-1.75f, 2.5f, 1.0f, 1.015625f));
}

TEST(Matmul, of_an_empty_inner_axis_is_zero) {
  Sums s;
  const Value a = s.given<double>({2, 0}, {});
  const Value b = s.given<double>({0, 2}, {});
  EXPECT_THAT(s.result(s.b.matmul(a, b)), ElementsAre(0, 0, 0, 0));
}

TEST(GatherRows, picks_rows_of_the_batch_or_of_a_shared_table) {
  Sums s;
  const Value index = s.given<int32_t>({2, 2}, {2, 0, 1, 1});
  const Value x = s.given<double>({2, 3, 1}, {10, 11, 12, 20, 21, 22});
  EXPECT_THAT(s.result(s.b.gather_rows(x, index)), ElementsAre(12, 10, 21, 21));
  const Value table = s.given<double>({3, 1}, {5, 6, 7});
  EXPECT_THAT(s.result(s.b.gather_rows(table, index)), ElementsAre(7, 5, 6, 6));
}

TEST(ScatterRows, adds_up_rows_that_meet) {
  Sums s;
  const Value index = s.given<int32_t>({2, 2}, {2, 0, 1, 1});
  const Value x = s.given<double>({2, 2, 1}, {1, 2, 4, 8});
  EXPECT_THAT(s.result(s.b.scatter_rows(x, index, 3)), ElementsAre(2, 0, 1, 0, 12, 0));
  EXPECT_THAT(s.result(s.b.scatter_rows(x, index, 3, true)), ElementsAre(2, 12, 1));
}

TEST(GatherRows, refuses_a_row_that_is_not_there) {
  Sums s;
  const Value x = s.given<float>({1, 3, 1}, {0, 0, 0});
  EXPECT_EQ(s.run_error(s.b.gather_rows(x, s.given<int32_t>({1, 1}, {3}))),
            "gather_rows: index 3 is outside 0..2");
}

TEST(ScatterRows, refuses_a_row_that_is_not_there) {
  Sums s;
  const Scope scope(s.b, "loss");
  const Value x = s.given<float>({1, 1, 1}, {0});
  EXPECT_EQ(s.run_error(s.b.scatter_rows(x, s.given<int32_t>({1, 1}, {-1}), 3)),
            "scatter_rows (loss): index -1 is outside 0..2");
}

TEST(MaskIndices, lists_both_kinds_in_rising_order) {
  Sums s;
  const Value mask = s.mask({2, 4}, {1, 0, 0, 1, 0, 1, 1, 0});
  EXPECT_THAT(s.result<int32_t>(s.b.mask_indices(mask, 1, 2)), ElementsAre(0, 3, 1, 2));
  EXPECT_THAT(s.result<int32_t>(s.b.mask_indices(mask, 0, 2)), ElementsAre(1, 2, 0, 3));
}

TEST(MaskIndices, refuses_a_row_with_another_count) {
  for (const uint8_t extra : {0, 1}) {
    Sums s;
    const Value mask = s.mask({2, 3}, {1, 0, 1, extra, extra, extra});
    EXPECT_EQ(s.run_error(s.b.mask_indices(mask, 1, 2)),
              cat("mask_indices: mask row 1 has ", 3 * extra,
                  " tokens of value 1; the graph was built for 2"));
  }
}

TEST(OneHot, marks_the_label) {
  Sums s;
  const Value labels = s.given<int32_t>({2}, {2, 0});
  EXPECT_THAT(s.result<float>(s.b.one_hot(labels, 3)), ElementsAre(0, 0, 1, 1, 0, 0));
}

TEST(OneHot, refuses_a_label_that_is_no_class) {
  Sums s;
  EXPECT_EQ(s.run_error(s.b.one_hot(s.given<int32_t>({1}, {7}), 7)),
            "one_hot: label 7 is outside 0..6");
}

TEST(PositionTable, has_the_published_values) {
  const auto pe = [](int64_t dim, int64_t row, int64_t column) {
    Sums s;
    const auto table = s.result<float>(s.b.position_table(800, dim));
    return table[static_cast<size_t>(row * dim + column)];
  };
  constexpr double kLastDigit = 6e-8;
  for (const int64_t dim : {384, 512, 768}) {
    EXPECT_NEAR(pe(dim, 1, 0), 0.8414710, kLastDigit);
    EXPECT_NEAR(pe(dim, 1, 1), 0.5403023, kLastDigit);
  }
  EXPECT_NEAR(pe(512, 1, 2), 0.8218562, kLastDigit);
  EXPECT_NEAR(pe(512, 799, 510), 0.0827323, kLastDigit);
  EXPECT_NEAR(pe(512, 400, 100), -0.2174862, kLastDigit);
  EXPECT_NEAR(pe(512, 400, 101), -0.9760634, kLastDigit);
  EXPECT_NEAR(pe(384, 1, 2), 0.8152506, kLastDigit);
  EXPECT_NEAR(pe(384, 799, 382), 0.0837281, kLastDigit);
  EXPECT_NEAR(pe(384, 400, 100), -0.9775304, kLastDigit);
  EXPECT_NEAR(pe(768, 1, 2), 0.8284308, kLastDigit);
  EXPECT_NEAR(pe(768, 400, 100), 0.9268675, kLastDigit);
}

TEST(Interpret, says_what_input_is_missing_or_of_another_type) {
  Sums s;
  const Value x = s.given<float>({2}, {1, 2});
  s.b.output("y", s.b.exp(x));
  const auto error_with = [&](const std::map<std::string, Buffer>& inputs) {
    return testing::error_of([&] { interpret(s.graph, inputs); });
  };
  EXPECT_EQ(error_with({}), "interpret: no value for input 'in0' f32[2]");
  EXPECT_EQ(error_with({{"in0", Buffer({DType::f64, {2}})}}),
            "interpret: 'in0' is f64[2]; the graph wants f32[2]");
}

}  // namespace
}  // namespace grimace

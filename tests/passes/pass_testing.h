// What every test of a pass shares. A rule is tested three ways: it fires (text before, text
// after), it stays away, and the numbers agree (the interpreted graph gives what it gave before).
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <map>
#include <random>
#include <string>

#include "ir/interpret.h"
#include "ir/passes/passes.h"
#include "ir/text.h"
#include "ir/verify.h"

namespace grimace::testing {

using PassFunction = std::function<int(Graph&)>;

// Floats in [-1, 1), which makes signs matter; integers and bools 0 or 1, which are row numbers of
// any tensor with two rows.
inline void fill_randomly(View view, std::mt19937& random) {
  const auto fill = [&](auto zero) {
    using T = decltype(zero);
    for (T& value : view.as<T>()) {
      if constexpr (std::is_integral_v<T>)
        value = static_cast<T>(random() % 2);
      else
        value = T(static_cast<float>(random()) * 0x1p-31f - 1.0f);
    }
  };
  switch (view.type.dtype) {
    case DType::f32:
      return fill(float{});
    case DType::bf16:
      return fill(bf16{});
    case DType::f16:
      return fill(f16{});
    case DType::f64:
      return fill(double{});
    case DType::i32:
      return fill(int32_t{});
    case DType::i64:
      return fill(int64_t{});
    case DType::u8:
      return fill(uint8_t{});
    case DType::boolean:
      return fill(bool{});
  }
}

inline std::map<std::string, Buffer> random_inputs(const Graph& graph) {
  std::mt19937 random(7);
  std::map<std::string, Buffer> inputs;
  for (const Value& input : graph.inputs()) {
    if (input.is(Role::constant)) continue;
    Buffer buffer(input.type());
    fill_randomly(buffer.view(), random);
    inputs[input.name()] = std::move(buffer);
  }
  return inputs;
}

// The elements as doubles, whatever float they are; bytes of other types as they are.
inline std::vector<double> numbers_of(const Buffer& buffer) {
  std::vector<double> result;
  const auto append = [&]<typename T>(T) {
    for (const T& value : buffer.view().template as<T>())
      result.push_back(static_cast<double>(static_cast<float>(value)));
  };
  switch (buffer.type.dtype) {
    case DType::f32:
      append(float{});
      break;
    case DType::bf16:
      append(bf16{});
      break;
    case DType::f16:
      append(f16{});
      break;
    case DType::f64: {
      const auto values = buffer.view().as<double>();
      result.assign(values.begin(), values.end());
      break;
    }
    default:
      for (const std::byte b : buffer.data) result.push_back(std::to_integer<int>(b));
  }
  return result;
}

// Equal types and values, but for `tolerance` relative to the largest element. 0: bit for bit.
inline void expect_same(const std::map<std::string, Buffer>& expected,
                        const std::map<std::string, Buffer>& actual, double tolerance) {
  ASSERT_EQ(expected.size(), actual.size());
  for (const auto& [name, buffer] : expected) {
    ASSERT_TRUE(actual.contains(name)) << name;
    if (tolerance == 0.0) {
      EXPECT_EQ(buffer.type, actual.at(name).type) << name;
      EXPECT_EQ(buffer.data, actual.at(name).data) << name;
      continue;
    }
    const std::vector<double> want = numbers_of(buffer);
    const std::vector<double> have = numbers_of(actual.at(name));
    ASSERT_EQ(want.size(), have.size()) << name;
    double largest = 0.0;
    double error = 0.0;
    for (size_t i = 0; i < want.size(); ++i) {
      largest = std::max(largest, std::abs(want[i]));
      error = std::max(error, std::abs(want[i] - have[i]));
    }
    EXPECT_LE(error, tolerance * largest) << name;
  }
}

// The text without its leading line break and with the indentation that print gives it.
inline std::string canonical_text(std::string_view text) {
  return print(*parse(text));
}

// The pass turns `before` into `after`, firing `times` times (-1: at least once), and the numbers
// agree.
inline void expect_rewrite(const PassFunction& pass, std::string_view before,
                           std::string_view after, int times = -1, double tolerance = 0.0) {
  const std::unique_ptr<Graph> graph = parse(before);
  const auto inputs = random_inputs(*graph);
  const Interpretation expected = interpret(*graph, inputs);
  const int fired = pass(*graph);
  if (times >= 0) {
    EXPECT_EQ(fired, times);
  }
  EXPECT_GT(fired, 0);
  ASSERT_NO_THROW(verify(*graph));
  EXPECT_EQ(print(*graph), canonical_text(after));
  const Interpretation actual = interpret(*graph, inputs);
  expect_same(expected.outputs, actual.outputs, tolerance);
  expect_same(expected.updates, actual.updates, tolerance);
}

// The pass leaves the graph alone and says so.
inline void expect_unchanged(const PassFunction& pass, std::string_view text) {
  const std::unique_ptr<Graph> graph = parse(text);
  const std::string before = print(*graph);
  EXPECT_EQ(pass(*graph), 0);
  EXPECT_EQ(print(*graph), before);
}

}  // namespace grimace::testing

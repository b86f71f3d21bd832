// What every test of a pass shares. A rule is tested three ways: it fires (text before, text
// after), it stays away, and the numbers agree (the interpreted graph gives what it gave before).
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <string>

#include "ir/interpret.h"
#include "ir/passes/passes.h"
#include "ir/text.h"
#include "ir/verify.h"
#include "tests/op_cases.h"

namespace grimace::testing {

using PassFunction = std::function<int(Graph&)>;

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
    EXPECT_LE(relative_max_error(buffer.view(), actual.at(name).view()), tolerance) << name;
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

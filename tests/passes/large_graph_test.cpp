// Graphs of the largest size that is read from outside, of the shapes that cost most: every pass
// ends in seconds, on little stack.
#include <gtest/gtest.h>

#include <ctime>

#include "ir/builder.h"
#include "ir/verify.h"
#include "runtime/plan.h"
#include "tests/passes/pass_testing.h"

namespace grimace::testing {
namespace {

constexpr int kNodes = 99'000;         // passes may add some before others take them away
constexpr double kMostSeconds = 20.0;  // of the processor; where nothing is quadratic it is one

// What all passes make of the graph, and its memory plan.
void expect_quick(Graph& graph) {
  const std::clock_t start = std::clock();
  for (const auto passes : {forward_passes(), training_passes()}) run_passes(graph, passes);
  plan_memory(graph);
  verify(graph);
  EXPECT_LT(static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC, kMostSeconds);
}

// softmax(q k^T) v, the pattern that looks how its operands came about.
void add_attention(Builder& b, Value q, Value k, Value v) {
  b.output("y", b.matmul(b.softmax(b.matmul(q, k, false, true)), v));
}

class LargeGraph : public ::testing::Test {
 protected:
  Graph graph_{"large"};
  Builder b_{graph_};
  const Value x_ = b_.input("x", {DType::f32, {1, 1, 4, 4}});
};

TEST_F(LargeGraph, products_with_a_literal_before_attention) {
  Value q = x_;
  const Value factor = b_.full(1.0001);
  for (int i = 0; i < kNodes; ++i) q = q * factor;
  add_attention(b_, q, x_, x_);
  expect_quick(graph_);
}

TEST_F(LargeGraph, transposes_and_reshapes_before_attention) {
  Value k = x_;
  for (int i = 0; i < kNodes / 3; ++i)
    k = b_.reshape(b_.transpose(b_.reshape(k, {2, 8}), {1, 0}), {1, 1, 4, 4});
  add_attention(b_, x_, k, x_);
  expect_quick(graph_);
}

TEST_F(LargeGraph, one_value_with_very_many_readers) {
  Value sum = x_;
  for (int i = 0; i < kNodes / 3; ++i) sum = sum + x_ * 1.0;
  b_.output("y", sum);
  expect_quick(graph_);
}

TEST_F(LargeGraph, readers_that_nothing_reads) {
  for (int i = 0; i < kNodes / 2; ++i) b_.exp(x_);
  for (int i = 0; i < kNodes / 2; ++i) b_.slice(x_, 3, i % 4, 4);
  b_.output("y", b_.neg(x_));
  expect_quick(graph_);
  EXPECT_EQ(graph_.nodes().size(), 1u);
}

TEST_F(LargeGraph, literals_that_become_constants) {
  std::vector<Value> parts;
  for (int i = 0; i < kNodes / 4; ++i)
    parts.push_back(
        b_.concat({b_.full(i, {1}), b_.full(-1.0, {1})}, 0));  // two numbers: no longer a `full`
  b_.output("y", b_.concat(parts, 0));
  expect_quick(graph_);
}

TEST_F(LargeGraph, constants_that_nothing_reads) {
  const std::vector<float> one{1.0f};
  for (int i = 0; i < kNodes; ++i) b_.constant(cat("c", i), {1}, one);
  b_.output("y", b_.neg(x_));
  expect_quick(graph_);
  EXPECT_EQ(graph_.inputs().size(), 1u);
}

TEST_F(LargeGraph, all_parts_cut_out_of_one_concat) {
  std::vector<Value> parts, cuts;
  for (int i = 0; i < kNodes / 4; ++i) parts.push_back(b_.reshape(x_ + i, {16}));
  const Value all = b_.concat(parts, 0);
  for (int i = 0; i < kNodes / 4; ++i) cuts.push_back(b_.slice(all, 0, 16 * i, 16 * i + 16));
  b_.output("y", b_.concat(cuts, 0));
  expect_quick(graph_);
}

TEST_F(LargeGraph, slices_that_move_up_to_one_value) {
  const Value wide = b_.input("wide", {DType::f32, {kNodes, 2}});
  std::vector<Value> cuts;
  for (int i = 0; i < kNodes / 4; ++i) cuts.push_back(b_.slice(b_.exp(wide + i), 0, i, i + 1));
  b_.output("y", b_.concat(cuts, 0));
  expect_quick(graph_);
}

TEST_F(LargeGraph, values_of_which_none_can_take_anothers_place) {
  Value v = b_.reshape(x_, {4, 4});
  for (int i = 0; i < kNodes / 2; ++i) v = b_.softmax(b_.matmul(v, v));
  b_.output("y", v);
  expect_quick(graph_);
}

TEST_F(LargeGraph, values_that_all_live_until_the_end) {
  std::vector<Value> parts;
  for (int i = 0; i < kNodes / 3; ++i) parts.push_back(b_.matmul(x_ + i, x_));
  b_.output("y", b_.concat(parts, 0));
  expect_quick(graph_);
}

// Under so many shapes that a look at each inside the last would need too much stack.
TEST_F(LargeGraph, one_value_under_very_many_shapes_is_computed_again) {
  const Value h = b_.gelu(b_.input("flat", {DType::f32, {1024}}));
  Value shape = h;
  for (int i = 0; i < 2 * kNodes; ++i)
    shape =
        b_.reshape(shape, i % 2 == 0 ? std::vector<int64_t>{32, 32} : std::vector<int64_t>{1024});
  const Value first = b_.reduce_sum(shape, {0});
  const Value most = b_.reduce_sum(b_.broadcast(first, {8192}), {0});
  b_.output("y", most + b_.reduce_sum(h, {0}));
  const auto peak = [](const Graph& g) { return plan_memory(g).peak; };
  const int64_t planned = plan_memory(graph_).arena_bytes();
  EXPECT_EQ(rematerialise(graph_, planned - 4096, peak), 1);
}

}  // namespace
}  // namespace grimace::testing

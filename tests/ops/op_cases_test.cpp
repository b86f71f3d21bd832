// What must hold for every op, over every case: f32 is as exact as its tolerance says, a fused op
// equals its decomposition, and an op that may overwrite its input gives the same numbers when it
// does.
#include "tests/op_cases.h"

#include <gtest/gtest.h>

#include <limits>
#include <set>

#include "ir/builder.h"
#include "ir/passes/passes.h"

namespace grimace {
namespace {

using testing::OpCase;
using testing::relative_max_error;

constexpr uint64_t kSeed = 11;

std::vector<ConstView> views_of(const std::map<std::string, Buffer>& buffers) {
  std::vector<ConstView> views;
  for (const auto& [name, buffer] : buffers) views.push_back(buffer.view());
  return views;
}

TEST(OpCases, cover_every_op) {
  std::set<std::string_view> covered;
  for (const OpCase& op_case : testing::op_cases()) covered.insert(op_case.op->name);
  for (const OpDef* op : all_ops()) EXPECT_TRUE(covered.contains(op->name)) << op->name;
}

TEST(OpCases, have_names_of_their_own) {
  std::set<std::string> names;
  for (const OpCase& op_case : testing::op_cases())
    EXPECT_TRUE(names.insert(op_case.name()).second) << op_case.name();
}

TEST(OpCases, draw_the_same_numbers_in_f32_and_f64) {
  const testing::InputSpec spec{{DType::f32, {100}}};
  const auto narrow = testing::random_input(spec, 1);
  const auto wide = testing::random_input(spec, 1, DType::f64);
  EXPECT_EQ(relative_max_error(wide.view(), narrow.view()), 0.0);
  EXPECT_GT(relative_max_error(testing::random_input(spec, 2).view(), narrow.view()), 0.1);
}

TEST(ReferenceKernels, in_f32_agree_with_f64_within_the_tolerance_of_the_case) {
  for (const OpCase& op_case : testing::op_cases()) {
    const auto narrow = interpret(*build(op_case), random_inputs(op_case, kSeed));
    const auto wide =
        interpret(*build(op_case, DType::f64), random_inputs(op_case, kSeed, DType::f64));
    for (const auto& [name, buffer] : narrow.outputs)
      EXPECT_LE(relative_max_error(wide.outputs.at(name).view(), buffer.view()),
                op_case.tolerance.value)
          << op_case.name() << " " << name;
  }
}

TEST(ReferenceKernels, write_every_element_of_every_result) {
  for (const OpCase& op_case : testing::op_cases()) {
    const auto graph = build(op_case);
    const Node& node = graph->nodes().front();
    const auto inputs = random_inputs(op_case, kSeed);
    std::vector<Buffer> zeroed;
    std::vector<Buffer> dirty;
    std::vector<View> zeroed_views;
    std::vector<View> dirty_views;
    for (int i = 0; i < node.num_results(); ++i) {
      zeroed.emplace_back(node.out(i));
      dirty.emplace_back(node.out(i));
      std::fill(dirty.back().data.begin(), dirty.back().data.end(), std::byte{1});
    }
    for (size_t i = 0; i < zeroed.size(); ++i) {
      zeroed_views.push_back(zeroed[i].view());
      dirty_views.push_back(dirty[i].view());
    }
    run_reference(node, views_of(inputs), zeroed_views);
    run_reference(node, views_of(inputs), dirty_views);
    for (size_t i = 0; i < zeroed.size(); ++i)
      EXPECT_EQ(zeroed[i].data, dirty[i].data) << op_case.name() << " result " << i;
  }
}

// Result r over input `in`, as the planner may lay them out.
void expect_same_in_place(const OpCase& op_case, const Node& node, int in, int r) {
  const auto expected = interpret(node.graph(), random_inputs(op_case, kSeed));
  auto inputs = random_inputs(op_case, kSeed);
  std::vector<Buffer> others;
  std::vector<View> results;
  for (int i = 0; i < node.num_results(); ++i) others.emplace_back(node.out(i));
  for (int i = 0; i < node.num_results(); ++i)
    results.push_back(i == r ? View{node.out(i), inputs.at(cat("in", in)).data.data()}
                             : others[static_cast<size_t>(i)].view());
  run_reference(node, views_of(inputs), results);
  const Buffer& wanted = expected.outputs.at(cat("out", r));
  EXPECT_EQ(wanted.data, inputs.at(cat("in", in)).data) << op_case.name() << " over input " << in;
}

TEST(ReferenceKernels, give_the_same_numbers_over_an_input_that_they_may_overwrite) {
  int tried = 0;
  for (const OpCase& op_case : testing::op_cases()) {
    const auto graph = build(op_case);
    const Node& node = graph->nodes().front();
    for (int in = 0; in < node.num_inputs(); ++in) {
      const bool elementwise = node.op().aliasing == Aliasing::elementwise &&
                               node.in(in).shape == node.out().shape &&
                               size_of(node.in(in).dtype) == size_of(node.out().dtype);
      const bool in_order = node.op().aliasing == Aliasing::in_order && in < node.num_results();
      if (!elementwise && !in_order) continue;
      expect_same_in_place(op_case, node, in, in_order ? in : 0);
      ++tried;
    }
  }
  EXPECT_GT(tried, 100);
}

// The op replaced by its decomposition, all the way down to primitives.
void expect_decomposition_agrees(const OpCase& op_case, DType real, double limit) {
  const auto graph = build(op_case, real);
  const auto inputs = random_inputs(op_case, kSeed, real);
  const auto expected = interpret(*graph, inputs);
  ASSERT_GT(expand(*graph, [](const Node&) { return false; }), 0) << op_case.name();
  for (const Node& node : graph->nodes()) EXPECT_EQ(node.op().decompose, nullptr);
  const auto actual = interpret(*graph, inputs);
  for (const auto& [name, buffer] : expected.outputs)
    EXPECT_LE(relative_max_error(buffer.view(), actual.outputs.at(name).view()), limit)
        << op_case.name() << " " << name << " in " << name_of(real);
}

TEST(FusedOps, equal_their_decompositions) {
  int fused = 0;
  for (const OpCase& op_case : testing::op_cases()) {
    if (op_case.op->decompose == nullptr) continue;
    ++fused;
    expect_decomposition_agrees(op_case, DType::f32, 1e-6);
    if (!op_case.has_16_bit()) expect_decomposition_agrees(op_case, DType::f64, 1e-12);
  }
  EXPECT_GT(fused, 0);
}

TEST(OpDefs, count_no_negative_work) {
  for (const OpCase& op_case : testing::op_cases()) {
    const auto graph = build(op_case);
    const Node& node = graph->nodes().front();
    EXPECT_GE(flops_of(node), 2 * macs_of(node)) << op_case.name();
    EXPECT_GE(macs_of(node), 0) << op_case.name();
    EXPECT_GE(bytes_of(node), 0) << op_case.name();
  }
}

// Products of matrices stay below: two of three sides are a tensor's.
TEST(OpDefs, count_work_beyond_64_bits_as_the_largest_number) {
  constexpr int64_t kMost = std::numeric_limits<int64_t>::max();
  Graph graph;
  Builder b(graph);
  const std::vector<NamedAttr> attrs{{"heads", 1}, {"scale", 1.0}};
  const Value x = b.input("x", {DType::f32, {1, kMaxElements, 1}});
  const Value y = b.emit(op_attention, {x, x, x}, attrs);
  const Value dx = b.emit(op_attention_grad, {x, x, x, y}, attrs);
  for (const Value& v : {y, dx}) {
    EXPECT_EQ(macs_of(*v.producer()), kMost);
    EXPECT_EQ(flops_of(*v.producer()), kMost);
  }
  const std::vector<Value> many(1 << 21, x);
  EXPECT_EQ(bytes_of(*b.emit(op_global_norm, many).producer()), kMost);
}

}  // namespace
}  // namespace grimace

// Ops that move elements must move them exactly, for every element size, also where there is work
// for all threads; small shapes are the op cases'.
#include "tests/backends/cpu_run.h"
#include "tests/testing.h"

namespace grimace {
namespace {

using testing::context;
using testing::NodeRun;

constexpr DType kTypes[] = {DType::f32, DType::u8, DType::i64};

void expect_exact(DType dtype, const Shape& shape,
                  const std::function<void(Builder&, Value)>& build) {
  Graph graph;
  Builder g(graph);
  build(g, g.input("x", {dtype, shape}));
  const NodeRun run(graph);
  ASSERT_TRUE(cpu::has_kernel(run.node));
  const Tensor wanted = run.reference()[0];
  for (const int threads : {1, 2, 3})
    EXPECT_TRUE(testing::same_bits(run.kernel(context(threads))[0], wanted))
        << run.node.describe() << " of " << run.node.in(0) << " to " << run.node.out() << " with "
        << threads << " threads";
}

TEST(CpuCopies, TransposeIsExact) {
  const std::pair<Shape, std::vector<int64_t>> cases[] = {
      {{300, 517}, {1, 0}},
      {{2, 11, 3, 64}, {0, 2, 1, 3}},
      {{4, 11, 3, 8, 16}, {2, 0, 3, 1, 4}},
      {{2, 3, 4, 2, 2, 16, 2, 16}, {0, 2, 4, 6, 3, 5, 7, 1}},
      {{2, 3, 4, 2, 2, 16, 2, 16}, {0, 2, 4, 6, 1, 3, 5, 7}},
      {{2, 4, 2, 2, 2, 16, 16, 3}, {0, 7, 1, 4, 2, 5, 3, 6}},
      {{100, 2, 33}, {2, 1, 0}},
      {{2, 33, 100}, {0, 2, 1}},
  };
  for (const DType dtype : kTypes)
    for (const auto& [shape, permutation] : cases)
      expect_exact(dtype, shape, [&](Builder& g, Value x) { g.transpose(x, permutation); });
}

TEST(CpuCopies, BroadcastIsExact) {
  const std::pair<Shape, Shape> cases[] = {
      {{1}, {300, 301}},
      {{5, 1}, {5, 700}},
      {{2, 1, 3}, {2, 400, 3}},
      {{4, 1, 33}, {4, 900, 33}},
  };
  for (const DType dtype : kTypes)
    for (const auto& [from, to] : cases)
      expect_exact(dtype, from, [&](Builder& g, Value x) { g.broadcast(x, to); });
}

TEST(CpuCopies, SliceAndPadAreExact) {
  for (const DType dtype : kTypes)
    for (const int64_t axis : {0, 1, 2}) {
      const Shape shape{9, 11, 65};
      expect_exact(dtype, shape, [&](Builder& g, Value x) { g.slice(x, axis, 2, 7); });
      expect_exact(dtype, shape, [&](Builder& g, Value x) { g.slice(x, axis, 3, 3); });
      expect_exact(dtype, shape, [&](Builder& g, Value x) { g.pad(x, axis, 3, 4); });
      expect_exact(dtype, shape, [&](Builder& g, Value x) { g.pad(x, axis, 0, 1); });
    }
}

TEST(CpuCopies, ConcatIsExact) {
  for (const DType dtype : kTypes)
    for (const int64_t axis : {0, 1, 2})
      expect_exact(dtype, {5, 9, 33}, [&](Builder& g, Value x) {
        std::vector<int64_t> dims{5, 9, 33};
        dims[static_cast<size_t>(axis)] = 70;
        g.concat({x, g.input("y", {dtype, Shape(dims)}), x}, axis);
      });
}

void set_index(Tensor& index, int64_t rows) {
  const auto values = index.as<int32_t>();
  for (size_t i = 0; i < values.size(); ++i)
    values[i] = static_cast<int32_t>((i * 7 + i / 3) % static_cast<size_t>(rows));
}

TEST(CpuRows, GatherIsExact) {
  for (const DType dtype : kTypes)
    for (const bool shared : {true, false}) {
      Graph graph;
      Builder g(graph);
      g.gather_rows(g.input("x", {dtype, shared ? Shape{800, 33} : Shape{3, 800, 33}}),
                    g.input("i", {DType::i32, {3, 720}}));
      NodeRun run(graph);
      set_index(run.inputs[1], 800);
      for (const int threads : {1, 2})
        EXPECT_TRUE(testing::same_bits(run.kernel(context(threads))[0], run.reference()[0]));
    }
}

TEST(CpuRows, ScatterAddsInTheReferencesOrder) {
  for (const bool shared : {true, false}) {
    const Shape x{3, 100, 130};
    Graph graph;
    Builder g(graph);
    g.scatter_rows(g.input("x", {DType::f32, x}), g.input("i", {DType::i32, {x[0], x[1]}}), 12,
                   shared);
    NodeRun run(graph);
    set_index(run.inputs[1], 12);
    for (const int threads : {1, 2})
      EXPECT_TRUE(testing::same_bits(run.kernel(context(threads))[0], run.reference()[0]));
  }
}

TEST(CpuRows, AnIndexOutOfRangeIsTheReferencesRunError) {
  for (const bool gather : {true, false})
    for (const int32_t bad : {-1, 12}) {
      Graph graph;
      Builder g(graph);
      const Value x = g.input("x", {DType::f32, {2, 12, 3}});
      const Value index = g.input("i", {DType::i32, {2, 12}});
      gather ? g.gather_rows(x, index) : g.scatter_rows(x, index, 12);
      NodeRun run(graph);
      set_index(run.inputs[1], 12);
      run.inputs[1].as<int32_t>()[17] = bad;
      const std::string message = testing::error_of<RunError>([&] { run.kernel(context(2)); });
      EXPECT_EQ(message, testing::error_of<RunError>([&] { run.reference(); }));
      EXPECT_EQ(message, cat(run.node.describe(), ": index ", bad, " is outside 0..11"));
    }
}

}  // namespace
}  // namespace grimace

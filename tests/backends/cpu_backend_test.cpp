// The cpu backend as a whole: what it supports and says of itself, and whole graphs through it.
#include "backends/cpu/cpu_backend.h"

#include <set>

#include "ir/text.h"
#include "ir/verify.h"
#include "tests/backends/cpu_run.h"
#include "tests/testing.h"

namespace grimace {
namespace {

// A two-layer network with a norm, an attention-like product and a reduction.
std::unique_ptr<Graph> small_network() {
  auto graph = std::make_unique<Graph>();
  Builder b(*graph);
  const Value x = b.input("x", {DType::f32, {4, 10, 32}});
  const Value h = b.layer_norm(x, b.param("norm.weight", {32}), b.param("norm.bias", {32}), 1e-6);
  const Value f = b.gelu(b.linear(h, b.param("fc.weight", {64, 32}), b.param("fc.bias", {64})));
  const Value a = b.softmax(b.matmul(f, f, false, true) * 0.125);
  b.output("y", b.matmul(a, f));
  b.output("sum", b.reduce_sum(b.matmul(a, f), {0, 1, 2}));
  return graph;
}

std::vector<Tensor> outputs_of(Backend& backend, const CompileOptions& options) {
  const auto graph = small_network();
  const auto executable = backend.compile(*graph, options);
  uint64_t seed = 1;
  for (const Value& input : graph->inputs())
    executable->write(input.name(), testing::random_tensor(input.type(), ++seed).view());
  executable->run();
  return {executable->read("y"), executable->read("sum")};
}

TEST(CpuBackend, RunsAGraphLikeTheReferenceInF32AndBf16) {
  const auto cpu = make_cpu_backend();
  const auto reference = make_backend("reference");
  const auto wanted = outputs_of(*reference, {.precision = Precision::f64});
  for (const int threads : {1, 2}) {
    const auto f32 = outputs_of(*cpu, {.precision = Precision::f32, .threads = threads});
    const auto bf16 = outputs_of(*cpu, {.precision = Precision::bf16, .threads = threads});
    EXPECT_LE(testing::relative_l2_error(f32[0], wanted[0]), 2e-6);
    EXPECT_LE(testing::relative_l2_error(f32[1], wanted[1]), 1e-5);
    EXPECT_LE(testing::relative_l2_error(bf16[0], wanted[0]), 2e-2);
    EXPECT_GT(testing::relative_l2_error(bf16[0], wanted[0]), 1e-5);  // it does round operands
  }
}

// The element types of all results of the graph that the backend will run.
std::set<DType> lowered_types(const char* backend, Precision precision) {
  const auto graph = small_network();
  const std::string before = print(*graph);
  const auto lowered = make_backend(backend)->lower(*graph, precision);
  EXPECT_EQ(print(*graph), before);
  verify(*lowered);
  std::set<DType> types;
  for (const Node& node : lowered->nodes()) types.insert(node.out().dtype);
  return types;
}

TEST(Backends, LowerACopyOfTheGraphToTheirPrecision) {
  using Types = std::set<DType>;
  EXPECT_EQ(lowered_types("cpu", Precision::f32), (Types{DType::f32}));
  EXPECT_EQ(lowered_types("cpu", Precision::bf16), (Types{DType::f32, DType::bf16}));
  EXPECT_EQ(lowered_types("reference", Precision::f32), (Types{DType::f32}));
  EXPECT_EQ(lowered_types("reference", Precision::f64), (Types{DType::f64}));
  EXPECT_THROW(make_backend("reference")->lower(*small_network(), Precision::bf16), Error);
}

TEST(CpuBackend, RefusesF64SayingWhatToUse) {
  const auto graph = small_network();
  EXPECT_EQ(testing::error_of(
                [&] { make_cpu_backend()->compile(*graph, {.precision = Precision::f64}); }),
            "the cpu backend computes in f32 or bf16; precision f64 needs --backend reference");
}

TEST(CpuBackend, SaysWhatItRunsOnAndWhichNodesAreSlow) {
  Graph graph;
  Builder b(graph);
  const Value x = b.input("x", {DType::f16, {300, 300}});
  b.output("y", b.exp(x) + b.exp(b.exp(x)));
  const auto executable = make_cpu_backend()->compile(graph, {.threads = 2});
  EXPECT_EQ(executable->info().backend.find("cpu f32, 2 threads, "), 0U)
      << executable->info().backend;
  EXPECT_EQ(executable->info().slow_nodes, (std::vector<std::string>{"add x1", "exp x3"}));
}

TEST(CpuBackend, HasAKernelForEveryOpThatMovesMuchData) {
  const auto graph = small_network();
  const auto cpu = make_cpu_backend();
  for (const Node& node : graph->nodes()) EXPECT_TRUE(cpu->supports(node)) << node.describe();
}

bool same_bytes(const Tensor& a, const Tensor& b) {
  return a.type() == b.type() &&
         std::memcmp(a.data(), b.data(), static_cast<size_t>(a.bytes())) == 0;
}

// Two products: both params written, one read, one written again and back.
TEST(CpuBackend, WeightsOfOneReaderArePackedInTheirPlaceAndReadAsWritten) {
  for (const Precision precision : {Precision::f32, Precision::bf16}) {
    const DType stored = precision == Precision::f32 ? DType::f32 : DType::bf16;
    Graph graph;
    Builder g(graph);
    const Value h = g.linear(g.input("x", {DType::f32, {640, 512}}), g.param("v", {512, 512}));
    g.output("y", g.linear(h, g.param("w", {512, 512})));
    const auto cpu = make_cpu_backend()->compile(graph, {.precision = precision, .threads = 2});
    const auto write = [&](const char* name, uint64_t seed) {
      const Tensor value = testing::random_tensor(graph.find_input(name).type(), seed);
      cpu->write(name, value.view());
      return value;
    };
    const auto run = [&] {
      cpu->run();
      return cpu->read("y");
    };
    write("x", 1);
    const Tensor v = write("v", 2);
    const Tensor w = write("w", 3);
    const Tensor y = run();
    EXPECT_TRUE(same_bytes(cpu->read("w"), w.cast(stored)));
    EXPECT_TRUE(same_bytes(run(), y)) << "after a look";
    write("v", 4);
    EXPECT_FALSE(same_bytes(run(), y));
    EXPECT_TRUE(same_bytes(cpu->read("w"), w.cast(stored)));
    cpu->write("v", v.view());
    EXPECT_TRUE(same_bytes(run(), y));
    EXPECT_LT(cpu->info().private_bytes, 2 * v.bytes()) << "copies of the weights";
  }
}

}  // namespace
}  // namespace grimace

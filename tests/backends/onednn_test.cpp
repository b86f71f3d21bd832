// Products through oneDNN against the reference, whatever version is installed.
#include "backends/cpu/onednn.h"

#include <gmock/gmock.h>

#include "tests/backends/cpu_run.h"
#include "tests/testing.h"

namespace grimace {
namespace {

using testing::context;
using testing::expect_kernel_agrees;
using testing::NodeRun;

struct Case {
  std::vector<int64_t> batch;
  int64_t m, n, k;
};
const Case kCases[] = {
    {{}, 130, 70, 65},      {{}, 1, 300, 200}, {{6}, 11, 11, 64}, {{2, 3}, 11, 16, 11},
    {{2, 2, 2}, 80, 8, 33}, {{3}, 1, 9, 1},    {{}, 0, 4, 3},     {{2}, 4, 3, 0},
    {{0}, 4, 3, 2},         {{5}, 7, 1, 100},
};

Shape with(std::vector<int64_t> dims, int64_t rows, int64_t cols, bool transposed) {
  dims.push_back(transposed ? cols : rows);
  dims.push_back(transposed ? rows : cols);
  return Shape(dims);
}

TEST(OneDnn, MatmulAgreesWithReferenceForEveryTransposition) {
  for (const DType dtype : {DType::f32, DType::bf16})
    for (const Case& c : kCases)
      for (const int form : {0, 1, 2, 3})
        for (const bool shared : {false, true}) {
          if (shared && c.batch.empty()) continue;
          const bool ta = (form & 1) != 0;
          const bool tb = (form & 2) != 0;
          expect_kernel_agrees(
              [&](Builder& g) {
                const Value a = g.input("a", {dtype, with(c.batch, c.m, c.k, ta)});
                const Shape b = with(shared ? std::vector<int64_t>{} : c.batch, c.k, c.n, tb);
                g.matmul(a, g.input("b", {dtype, b}), ta, tb);
              },
              2e-6);
        }
}

void build_linear(Builder& g, DType dtype, const Shape& x, int64_t out, bool bias,
                  const char* epilogue) {
  std::vector<int64_t> dims = x.to_vector();
  std::vector<Value> inputs{g.input("x", {dtype, x}), g.input("w", {dtype, {out, x[-1]}})};
  dims.back() = out;
  if (bias) inputs.push_back(g.input("b", {DType::f32, {out}}));
  if (std::string_view(epilogue) == "add")
    inputs.push_back(g.input("r", {DType::f32, Shape(dims)}));
  g.emit(op_linear, inputs, {{"bias", bias}, {"epilogue", epilogue}});
}

TEST(OneDnn, LinearAgreesWithReferenceForEveryEpilogue) {
  for (const DType dtype : {DType::f32, DType::bf16})
    for (const Shape& x : {Shape{3, 17, 33}, Shape{130, 64}})
      for (const bool bias : {false, true})
        for (const char* epilogue : {"none", "gelu", "add"})
          expect_kernel_agrees([&](Builder& g) { build_linear(g, dtype, x, 70, bias, epilogue); },
                               2e-6);
}

TEST(OneDnn, StableWeightsArePackedAgainWhenTheirVersionChanges) {
  for (const DType dtype : {DType::f32, DType::bf16}) {
    Graph graph;
    Builder g(graph);
    build_linear(g, dtype, {64, 96}, 160, true, "none");
    NodeRun run(graph);
    std::vector<Tensor> out = run.results();
    uint64_t version = 1;
    Operands operands = run.operands(out);
    operands.stable[1] = true;
    operands.version = &version;
    cpu::CpuKernels kernels(context(2));
    const Kernel kernel = kernels.make(run.node, operands);
    kernel();
    EXPECT_LE(testing::relative_l2_error(out[0], run.reference()[0]), 2e-6);
    const Tensor other = testing::random_tensor(run.inputs[1].type(), 99);
    std::memcpy(run.inputs[1].data(), other.data(), static_cast<size_t>(other.bytes()));
    version = 2;
    kernel();
    EXPECT_LE(testing::relative_l2_error(out[0], run.reference()[0]), 2e-6);
  }
}

TEST(OneDnn, ScratchAndPackedWeightsAreCounted) {
  Graph graph;
  Builder g(graph);
  build_linear(g, DType::f32, {640, 512}, 512, false, "none");
  NodeRun run(graph);
  std::vector<Tensor> out = run.results();
  const auto bytes = [&](bool stable) {
    Operands operands = run.operands(out);
    operands.stable[1] = stable;
    cpu::CpuKernels kernels(context(1));
    kernels.make(run.node, operands);
    return kernels.private_bytes();
  };
  EXPECT_GE(bytes(true), 512 * 512 * 4);
  EXPECT_LT(bytes(false), 512 * 512 * 4);
}

TEST(OneDnn, AFailureNamesTheNode) {
  const cpu::MatmulSpec nonsense{.m = -3, .n = 2, .k = 2};
  EXPECT_THAT(testing::error_of<RunError>([&] {
                cpu::OneDnnMatmul(nonsense, {}, cpu::Packing::none, context(1),
                                  "%y = matmul %a, %b : f32[3x2]");
              }),
              ::testing::StartsWith("%y = matmul %a, %b : f32[3x2]: oneDNN "));
}

}  // namespace
}  // namespace grimace

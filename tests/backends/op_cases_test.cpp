// Every op case on the cpu backend, with every instruction set of this machine, against the
// reference backend in f64. oneDNN takes the first instruction set that a process asks for, so it
// is the one tested only where each test has a process of its own, as under ctest.
#include "tests/op_cases.h"

#include <algorithm>
#include <cstdlib>

#include "backends/cpu/cpu_backend.h"
#include "tests/backends/cpu_run.h"

namespace grimace {
namespace {

using cpu::Isa;
using testing::OpCase;

constexpr uint64_t kSeed = 11;
using Tensors = std::map<std::string, Tensor>;

class EveryOpCase : public ::testing::TestWithParam<Isa> {
 protected:
  void SetUp() override {
    if (!runs_here(GetParam())) GTEST_SKIP() << "this machine lacks " << name_of(GetParam());
    if (const char* cap = std::getenv("GRIMACE_ISA")) outer_cap_ = cap;
    setenv("GRIMACE_ISA", std::string(name_of(GetParam())).c_str(), 1);
  }
  void TearDown() override {
    if (outer_cap_.empty())
      unsetenv("GRIMACE_ISA");
    else
      setenv("GRIMACE_ISA", outer_cap_.c_str(), 1);
  }

 private:
  std::string outer_cap_;
};
INSTANTIATE_TEST_SUITE_P(, EveryOpCase,
                         ::testing::Values(Isa::sse2, Isa::avx2, Isa::avx512, Isa::amx,
                                           Isa::amx_emulated),
                         testing::isa_test_name);

Tensors inputs_of(const OpCase& op_case) {
  Tensors inputs;
  for (const auto& [name, buffer] : random_inputs(op_case, kSeed)) {
    inputs[name] = Tensor(buffer.type);
    convert(buffer.view(), inputs[name].view());
  }
  return inputs;
}

// What bf16 holds exactly, so that the operands of a product are what the reference reads.
Tensors rounded_to_bf16(Tensors inputs) {
  for (auto& [name, tensor] : inputs)
    if (tensor.dtype() == DType::f32) tensor = tensor.cast(DType::bf16).cast(DType::f32);
  return inputs;
}

Tensors outputs_of(Backend& backend, const Graph& graph, const Tensors& inputs,
                   const CompileOptions& options) {
  const auto executable = backend.compile(graph, options);
  for (const auto& [name, tensor] : inputs) executable->write(name, tensor.view());
  executable->run();
  Tensors outputs;
  for (const Output& output : graph.outputs()) outputs[output.name] = executable->read(output.name);
  return outputs;
}

// A case with 16-bit floats is as it is in any precision.
Tensors reference_outputs(const OpCase& op_case, const Graph& graph, const Tensors& inputs) {
  const Precision precision = op_case.has_16_bit() ? Precision::f32 : Precision::f64;
  return outputs_of(*make_backend("reference"), graph, inputs, {.precision = precision});
}

void expect_near(const OpCase& op_case, const Tensors& wanted, const Tensors& got,
                 const CompileOptions& options) {
  const bool narrow = options.precision == Precision::bf16 || op_case.has_16_bit();
  const double limit = narrow ? op_case.tolerance.in_16_bit : op_case.tolerance.value;
  for (const auto& [name, tensor] : wanted)
    EXPECT_LE(testing::relative_l2_error(got.at(name), tensor), limit)
        << op_case.name() << " " << name << " in " << name_of(options.precision) << " with "
        << options.threads << " threads";
}

TEST_P(EveryOpCase, agrees_with_the_reference_in_f64) {
  const auto cpu = make_cpu_backend();
  for (const OpCase& op_case : testing::op_cases()) {
    const auto graph = build(op_case);
    const Tensors inputs = inputs_of(op_case);
    const Tensors wanted = reference_outputs(op_case, *graph, inputs);
    for (const int threads : {1, 3}) {
      const CompileOptions options{.precision = Precision::f32, .threads = threads};
      expect_near(op_case, wanted, outputs_of(*cpu, *graph, inputs, options), options);
    }
  }
}

bool has_bf16(const Graph& graph) {
  return std::ranges::any_of(graph.nodes(),
                             [](const Node& node) { return node.out().dtype == DType::bf16; });
}

TEST_P(EveryOpCase, of_a_product_is_as_exact_in_bf16_when_its_operands_are_bf16) {
  const auto cpu = make_cpu_backend();
  int tried = 0;
  for (const OpCase& op_case : testing::op_cases()) {
    const auto graph = build(op_case);
    if (op_case.has_16_bit() || !has_bf16(*cpu->lower(*graph, Precision::bf16))) continue;
    ++tried;
    const Tensors inputs = rounded_to_bf16(inputs_of(op_case));
    const CompileOptions options{.precision = Precision::bf16, .threads = 2};
    expect_near(op_case, reference_outputs(op_case, *graph, inputs),
                outputs_of(*cpu, *graph, inputs, options), options);
  }
  EXPECT_GT(tried, 20);
}

}  // namespace
}  // namespace grimace

#include "backends/reference/reference_backend.h"

#include "ir/op_def.h"

namespace grimace {
namespace {

class ReferenceKernels : public KernelFactory {
 public:
  Kernel make(const Node& node, const Operands& operands) override {
    return reference_kernel(node, operands);
  }
};

class ReferenceBackend : public Backend {
 public:
  std::string_view name() const override { return "reference"; }
  bool supports(Precision precision) const override {
    return precision == Precision::f32 || precision == Precision::f64;
  }
  bool supports(const Node&) const override { return true; }

  std::unique_ptr<Graph> lower(const Graph& graph, Precision precision) const override {
    check(supports(precision), "the reference backend computes in f64 or f32; precision ",
          name_of(precision), " needs --backend cpu");
    auto copy = graph.clone();
    if (precision == Precision::f64) convert_floats(*copy, DType::f64);
    expand(*copy, [](const Node& node) { return node.op().reference != nullptr; });
    return copy;
  }

  std::unique_ptr<Executable> compile(const Graph& graph, const CompileOptions& options) override {
    auto lowered = lower(graph, options.precision);
    ExecutableInfo info;
    info.backend = cat("reference ", name_of(options.precision), ", 1 thread");
    return make_host_executable(std::move(lowered), std::make_unique<ReferenceKernels>(), info,
                                options.memory_budget);
  }
};

}  // namespace

std::unique_ptr<Backend> make_reference_backend() {
  return std::make_unique<ReferenceBackend>();
}

}  // namespace grimace

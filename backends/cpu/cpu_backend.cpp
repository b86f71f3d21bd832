// Compiles a graph for the cpu: expands what has no kernel, lowers to bf16, hands over the kernels.
#include "backends/cpu/cpu_backend.h"

#include <omp.h>

#include "backends/cpu/cpu_kernels.h"
#include "backends/cpu/onednn.h"
#include "ir/op_def.h"

namespace grimace {
namespace {

class CpuBackend : public Backend {
 public:
  std::string_view name() const override { return "cpu"; }
  bool supports(Precision precision) const override {
    return precision == Precision::f32 || precision == Precision::bf16;
  }

  bool supports(const Node& node) const override { return cpu::is_fast(node); }

  std::unique_ptr<Graph> lower(const Graph& graph, Precision precision) const override {
    check(supports(precision), "the cpu backend computes in f32 or bf16; precision ",
          name_of(precision), " needs --backend ",
          precision == Precision::tf32 ? "cuda" : "reference");
    auto copy = graph.clone();
    expand(*copy, [](const Node& node) {
      return cpu::has_kernel(node) || node.op().reference != nullptr;
    });
    if (precision == Precision::bf16) {
      mixed_precision(*copy, DType::bf16);
      narrow_params(*copy, DType::bf16);
    }
    return copy;
  }

  std::unique_ptr<Executable> compile(const Graph& graph, const CompileOptions& options) override {
    check(options.threads >= 0, "the number of threads must not be negative; got ",
          options.threads);
    auto lowered = lower(graph, options.precision);
    cpu::Context context{.threads = options.threads == 0 ? omp_get_num_procs() : options.threads,
                         .isa = cpu::best_isa()};
    ExecutableInfo info;
    info.backend = cat("cpu ", name_of(options.precision), ", ", context.threads,
                       context.threads == 1 ? " thread, " : " threads, ", name_of(context.isa),
                       ", oneDNN ", cpu::onednn_version());
    return make_host_executable(std::move(lowered), std::make_unique<cpu::CpuKernels>(context),
                                std::move(info), options.memory_budget);
  }
};

}  // namespace

std::unique_ptr<Backend> make_cpu_backend() {
  return std::make_unique<CpuBackend>();
}

}  // namespace grimace

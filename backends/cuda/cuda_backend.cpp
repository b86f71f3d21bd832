// Compiles a graph for a GPU: expands what has no kernel, lowers to bf16, fits the memory budget.
#include "backends/cuda/cuda_backend.h"

#include <cmath>

#include "backends/cuda/cuda_executable.h"
#include "backends/cuda/cuda_kernels.h"
#include "backends/cuda/device.h"
#include "backends/cuda/libraries/device_rates.h"
#include "ir/op_def.h"
#include "runtime/plan.h"

namespace grimace::cuda {
namespace {

std::string rates_text(int ordinal) {
  check_cuda(cudaSetDevice(ordinal), "choosing a device");
  const DeviceRates rates = measure_device_rates();
  const auto tera = [](double per_second) { return std::round(per_second * 1e-11) / 10.0; };
  return cat("copies ", tera(rates.copy_bytes_per_second), " TB/s; products bf16 ",
             tera(rates.bf16_flops), ", tf32 ", tera(rates.tf32_flops), ", f32 ",
             tera(rates.f32_flops), " TFLOP/s");
}

class CudaBackend : public Backend {
 public:
  std::string_view name() const override { return "cuda"; }
  bool supports(Precision precision) const override { return precision != Precision::f64; }
  bool supports(const Node& node) const override { return has_kernel(node); }
  std::string unavailable() const override { return find_devices().problem; }

  std::vector<std::pair<std::string, std::string>> describe() const override {
    const DevicesReport report = find_devices();
    std::vector<std::pair<std::string, std::string>> rows;
    rows.emplace_back("CUDA", cat("runtime ", report.runtime, ", driver for ",
                                  report.driver.empty() ? "none" : report.driver));
    if (!report.problem.empty()) rows.emplace_back("GPU", report.problem);
    for (const DeviceReport& device : report.devices) {
      const Properties& p = device.properties;
      rows.emplace_back(
          cat("GPU ", device.ordinal),
          device.problem.empty()
              ? cat(p.name, ", compute capability ", p.capability / 10, ".", p.capability % 10,
                    ", ", p.multiprocessors, " multiprocessors, ", mebibytes(device.free_bytes),
                    " of ", mebibytes(p.memory_bytes), " free")
              : device.problem);
      if (device.problem.empty()) rows.emplace_back("", rates_text(device.ordinal));
    }
    return rows;
  }

  std::optional<Peaks> measure_peaks(const CompileOptions& on) const override {
    open_device(on.device);
    const DeviceRates rates = measure_device_rates();
    const bool tf32 = on.precision == Precision::tf32;
    return Peaks{.f32_flops = tf32 ? rates.tf32_flops : rates.f32_flops,
                 .bf16_flops = rates.bf16_flops,
                 .bytes = rates.copy_bytes_per_second};
  }

  std::unique_ptr<Graph> lower(const Graph& graph, Precision precision) const override {
    check(supports(precision), "the cuda backend computes in f32, tf32 or bf16; precision ",
          name_of(precision), " needs --backend reference");
    auto copy = graph.clone();
    expand(*copy, has_kernel);
    if (precision == Precision::bf16) {
      mixed_precision(*copy, DType::bf16);
      narrow_params(*copy, DType::bf16);
    }
    return copy;
  }

  std::unique_ptr<Executable> compile(const Graph& graph, const CompileOptions& options) override {
    Context context{.tf32 = options.precision == Precision::tf32,
                    .properties = open_device(options.device)};
    auto lowered = lower(graph, options.precision);
    fit_memory(*lowered, options.memory_budget);
    ExecutableInfo info;
    info.backend = cat("cuda ", name_of(options.precision), ", ", context.properties.name,
                       options.device == 0 ? "" : cat(", device ", options.device));
    return make_cuda_executable(std::move(lowered), std::move(context), std::move(info));
  }
};

}  // namespace

std::unique_ptr<Backend> make_cuda_backend() {
  return std::make_unique<CudaBackend>();
}

}  // namespace grimace::cuda

#include "backends/backend.h"

#include <array>

#include "backends/reference/reference_backend.h"
#ifdef GRIMACE_CPU
#include "backends/cpu/cpu_backend.h"
#endif
#ifdef GRIMACE_CUDA
#include "backends/cuda/cuda_backend.h"
#endif

namespace grimace {
namespace {

constexpr std::array<std::string_view, 4> kPrecisions{"f32", "bf16", "f64", "tf32"};

struct BackendRow {
  std::string_view name;
  std::unique_ptr<Backend> (*make)();
};
constexpr BackendRow kBackends[] = {
    {"reference", make_reference_backend},
#ifdef GRIMACE_CPU
    {"cpu", make_cpu_backend},
#endif
#ifdef GRIMACE_CUDA
    {"cuda", cuda::make_cuda_backend},
#endif
};

}  // namespace

std::string_view name_of(Precision precision) {
  return kPrecisions[static_cast<size_t>(precision)];
}

Precision precision_from(std::string_view name) {
  for (size_t i = 0; i < kPrecisions.size(); ++i)
    if (kPrecisions[i] == name) return static_cast<Precision>(i);
  throw Error(cat("unknown precision '", name, "'; known are ", joined(kPrecisions, ", ")));
}

std::unique_ptr<Backend> make_backend(std::string_view name) {
  for (const BackendRow& row : kBackends)
    if (row.name == name) return row.make();
  throw Error(cat("unknown backend '", name, "'; this build has ",
                  joined(kBackends, ", ", &BackendRow::name)));
}

std::vector<std::string> backend_names() {
  std::vector<std::string> names;
  for (const BackendRow& row : kBackends) names.emplace_back(row.name);
  return names;
}

}  // namespace grimace

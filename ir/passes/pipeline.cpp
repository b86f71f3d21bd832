// The flat lists of passes, and the driver that runs, times and checks them.
#include <array>
#include <chrono>

#include "ir/passes/passes.h"
#include "ir/verify.h"

namespace grimace {
namespace {

constexpr Pass kCanonicalise{"canonicalise", canonicalise};
constexpr Pass kFold{"fold", fold};
constexpr Pass kEliminateCommon{"eliminate_common", eliminate_common};
constexpr Pass kHoistGather{"hoist_gather", hoist_gather};
constexpr Pass kFuseAttention{"fuse_attention", fuse_attention};
constexpr Pass kHoistSlice{"hoist_slice", hoist_slice};
constexpr Pass kFuseLoss{"fuse_loss", fuse_loss};
constexpr Pass kFuseLinear{"fuse_linear", fuse_linear};
constexpr Pass kFuseNorm{"fuse_norm", fuse_norm};
constexpr Pass kEliminateDead{"eliminate_dead", eliminate_dead};

constexpr std::array kForward{kCanonicalise, kFold,          kEliminateCommon,
                              kHoistGather,  kFuseAttention, kFuseLoss,
                              kCanonicalise, kHoistSlice,    kEliminateDead};
constexpr std::array kTraining{kCanonicalise, kFold,     kEliminateCommon,
                               kFuseLinear,   kFuseNorm, kEliminateDead};

}  // namespace

std::span<const Pass> forward_passes() {
  return kForward;
}
std::span<const Pass> training_passes() {
  return kTraining;
}

std::vector<PassReport> run_passes(Graph& graph, std::span<const Pass> passes,
                                   const std::function<void(const Pass&, const Graph&)>& after) {
  std::vector<PassReport> reports;
  for (const Pass& pass : passes) {
    const auto start = std::chrono::steady_clock::now();
    const int fired = pass.run(graph);
    const std::chrono::duration<double, std::milli> spent =
        std::chrono::steady_clock::now() - start;
    reports.push_back({std::string(pass.name), fired, spent.count()});
#ifndef NDEBUG
    verify(graph);
#endif
    if (fired > 0 && after) after(pass, graph);
  }
  return reports;
}

}  // namespace grimace

#include "backends/cuda/lowering.h"

#include <map>

#include "backends/cuda/cuda_kernels.h"
#include "ir/op_def.h"

namespace grimace::cuda {
namespace {

std::string mebibytes(int64_t bytes) {
  return cat((bytes + (1 << 20) - 1) >> 20, " MiB");
}

}  // namespace

Lowering lower_kernels(const Graph& graph, const MemoryPlan& plan, std::byte* base,
                       const Context& context) {
  Lowering result;
  for (const Node& node : graph.nodes()) {
    if (node.op().aliasing == Aliasing::reshape) continue;
    const bool stable = plan.stable.contains(&node);
    (stable ? result.stable : result.steps)
        .push_back({&node, make_kernel(node, operands_in(plan, node, base), context)});
  }
  return result;
}

std::string plan_text(const Lowering& lowering, const MemoryPlan& plan, const Context& context) {
  std::string text =
      cat("arena ", mebibytes(plan.arena_bytes()), ": ", mebibytes(plan.persistent_bytes),
          " persistent, ", mebibytes(plan.transient_bytes), " reused; workspace ",
          mebibytes(context.workspace->bytes()), "\n");
  std::vector<std::string> order;
  std::map<std::string, int> count;
  const auto add = [&](const std::vector<Step>& steps, const char* when) {
    for (const Step& step : steps) {
      std::string line = cat(step.node->op_name(), ": ", step.kernel.name,
                             step.kernel.fast ? "" : " (slow)", when);
      if (count[line]++ == 0) order.push_back(line);
    }
  };
  add(lowering.stable, " (once)");
  add(lowering.steps, "");
  for (const std::string& line : order) text += cat(count[line], " x ", line, "\n");
  return text;
}

}  // namespace grimace::cuda

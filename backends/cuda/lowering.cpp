#include "backends/cuda/lowering.h"

#include <algorithm>
#include <map>

#include "backends/cuda/cuda_kernels.h"
#include "ir/op_def.h"

namespace grimace::cuda {
namespace {

// adamw nodes that follow each other become one kernel: they are many, and most are small. In
// between nothing runs, so none of their operands has made room for something else.
class AdamwGroup {
 public:
  bool takes(const Node& node, const Operands& operands) const {
    if (!node.is(op_adamw) || !has_kernel(node)) return false;
    return nodes_.empty() || (same_adamw_group(*nodes_[0], node) &&
                              std::ranges::all_of(operands_, [&](const Operands& other) {
                                return independent_adamw(other, operands);
                              }));
  }
  void add(const Node& node, Operands operands) {
    nodes_.push_back(&node);
    operands_.push_back(std::move(operands));
  }
  void flush(std::vector<Step>& steps, const Context& context) {
    if (!nodes_.empty()) steps.push_back({nodes_[0], make_adamw_group(nodes_, operands_, context)});
    nodes_.clear();
    operands_.clear();
  }

 private:
  std::vector<const Node*> nodes_;
  std::vector<Operands> operands_;
};

}  // namespace

Lowering lower_kernels(const Graph& graph, const MemoryPlan& plan, std::byte* base,
                       const Context& context) {
  Lowering result;
  AdamwGroup group;
  for (const Node& node : graph.nodes()) {
    if (is_view(node)) continue;
    Operands operands = operands_in(plan, node, base);
    if (!group.takes(node, operands)) group.flush(result.steps, context);
    if (group.takes(node, operands)) {
      group.add(node, std::move(operands));
      continue;
    }
    const bool stable = plan.stable.contains(&node);
    (stable ? result.stable : result.steps)
        .push_back({&node, make_kernel(node, operands, context)});
  }
  group.flush(result.steps, context);
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

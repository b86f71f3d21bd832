#include "tools/graph_pipeline.h"

#include <algorithm>
#include <chrono>
#include <map>

#include "ir/capped.h"
#include "ir/op_def.h"
#include "ir/passes/passes.h"
#include "tools/recipe_model.h"

namespace grimace {
namespace {

constexpr std::string_view kAll = "all";

void append(std::vector<PipelineStep>& steps, std::span<const Pass> passes) {
  for (const Pass& pass : passes) steps.push_back({std::string(pass.name), pass.run});
}

std::vector<PipelineStep> with_unique_names(std::vector<PipelineStep> steps) {
  std::map<std::string, int> seen;
  for (PipelineStep& step : steps)
    if (const int count = ++seen[step.name]; count > 1) step.name += cat(".", count);
  return steps;
}

void check_known(const std::vector<PipelineStep>& steps, const std::string& name) {
  if (name == kAll || std::ranges::find(steps, name, &PipelineStep::name) != steps.end()) return;
  throw Error(cat("--after \"", name.substr(0, 100), "\": no such pass here; in order they are ",
                  joined(steps, ", ", &PipelineStep::name), "; or all"));
}

}  // namespace

std::vector<PipelineStep> forward_pipeline() {
  std::vector<PipelineStep> steps;
  append(steps, forward_passes());
  append(steps, training_passes());
  return with_unique_names(std::move(steps));
}

std::vector<PipelineStep> training_pipeline(const Recipe& recipe) {
  std::vector<PipelineStep> steps;
  append(steps, forward_passes());
  steps.push_back({"train_step", [recipe](Graph& graph) {
                     add_train_step(graph, recipe);
                     return 1;
                   }});
  append(steps, training_passes());
  return with_unique_names(std::move(steps));
}

std::vector<StepReport> run_pipeline(
    Graph& graph, const std::vector<PipelineStep>& steps, const std::string& until,
    const std::function<void(const StepReport&, const Graph&)>& after) {
  using Clock = std::chrono::steady_clock;
  check_known(steps, until);
  std::vector<StepReport> reports;
  for (const PipelineStep& step : steps) {
    StepReport report{.name = step.name, .nodes_before = node_count(graph)};
    const Clock::time_point start = Clock::now();
    report.fired = step.run(graph);
    report.milliseconds = std::chrono::duration<double, std::milli>(Clock::now() - start).count();
    report.nodes_after = node_count(graph);
    report.macs = total_macs(graph);
    if (after) after(report, graph);
    reports.push_back(std::move(report));
    if (step.name == until) break;
  }
  return reports;
}

int64_t node_count(const Graph& graph) {
  return static_cast<int64_t>(graph.nodes().size());
}

int64_t total_macs(const Graph& graph) {
  int64_t macs = 0;
  for (const Node& node : graph.nodes()) macs = capped_sum(macs, macs_of(node));
  return macs;
}

}  // namespace grimace

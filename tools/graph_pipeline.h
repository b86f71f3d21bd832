// The passes of a model in the order in which they really run, one named step each, so that
// commands can stop after any of them and look.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "ir/graph.h"
#include "tools/recipe.h"

namespace grimace {

struct PipelineStep {
  std::string name;  // the pass; "train_step" adds the backward pass and the optimizer. A name that
                     // comes again has ".2" after it
  std::function<int(Graph&)> run;  // how many times it fired
};

// On a forward graph for inference, and on loss_graph(recipe) to make training_graph(recipe).
std::vector<PipelineStep> forward_pipeline();
std::vector<PipelineStep> training_pipeline(const Recipe& recipe);

struct StepReport {
  std::string name;
  int fired = 0;
  double milliseconds = 0.0;
  int64_t nodes_before = 0;
  int64_t nodes_after = 0;
  int64_t macs = 0;  // of the whole graph, afterwards
};

// Runs the steps up to the one named `until`, or all. Error listing the names when there is no
// such step. `after` sees the graph after every step.
std::vector<StepReport> run_pipeline(
    Graph& graph, const std::vector<PipelineStep>& steps, const std::string& until = "all",
    const std::function<void(const StepReport&, const Graph&)>& after = {});

int64_t node_count(const Graph& graph);
int64_t total_macs(const Graph& graph);

}  // namespace grimace

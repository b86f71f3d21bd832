// The numbers of a model: parameters, multiply-accumulates (spec section 11.1) and planned memory,
// all counted on the graph's own nodes.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "tools/graph_pipeline.h"

namespace grimace {

// A part of the model, from the scopes of its nodes: "encoder/blocks[16]/mlp" stands for all 16.
struct StageStats {
  std::string stage;
  int64_t parameters = 0;
  int64_t macs_as_built = 0;  // of the forward graph, per clip
  int64_t macs = 0;           // the same after all passes
};

// What becomes of one graph: as built, and after every pass.
struct PipelineStats {
  int64_t nodes_as_built = 0;
  int64_t macs_as_built = 0;  // of the whole batch, as those in the reports
  std::vector<StepReport> steps = {};
};

// Bytes that a backend plans for a graph, before anything runs.
struct MemoryStats {
  std::string backend, precision, graph;  // graph: forward or training step
  int64_t persistent = 0;                 // inputs, parameters, optimizer states
  int64_t transient = 0;                  // activations and gradients, reused
  int64_t lower_bound = 0;                // what no plan could do below, of `transient`
};

struct GraphStats {
  std::string model;
  int64_t batch = 1;
  int64_t parameters = 0;
  int64_t parameter_tensors = 0;
  std::vector<StageStats> stages = {};
  PipelineStats forward = {};
  std::optional<PipelineStats> training = {};  // not for a graph file
  std::vector<MemoryStats> memory = {};

  int64_t per_clip(int64_t macs) const { return macs / batch; }
};

// `graph` is a forward graph, or any loaded one; it is left after all passes.
GraphStats graph_stats(Graph& graph, const std::string& label);
// The same with its training step, at the batch size of the recipe.
GraphStats model_stats(const Recipe& recipe);

std::string stats_text(const GraphStats& stats);
std::string stats_json(const GraphStats& stats);

// "encoder/blocks.3/first_attn" -> "encoder/blocks/first_attn": what belongs to one stage.
std::string stage_of(const std::string& scope);

}  // namespace grimace

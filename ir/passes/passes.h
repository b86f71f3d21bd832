// Every graph-to-graph pass, one file each. A pass returns how many times it fired.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "ir/graph.h"

namespace grimace {

// Cleaning.
int canonicalise(Graph& graph);      // algebraic identities, one form for each thing
int fold(Graph& graph);              // small nodes of constants become constants
int eliminate_common(Graph& graph);  // CSE: all ops are pure, random ones included
int eliminate_dead(Graph& graph);    // DCE: nodes no output or update needs

// Rewriting.
int hoist_gather(Graph& graph);    // gather_rows moves up through row-wise ops (before autodiff)
int fuse_attention(Graph& graph);  // matmul, softmax, matmul -> attention (before autodiff)
int hoist_slice(Graph& graph);     // slice moves up through row-wise ops (before autodiff)
int fuse_loss(Graph& graph);       // mean squared error of a target made for it (before autodiff)
int fuse_linear(Graph& graph);     // matmul + bias -> linear; gelu or a residual into its epilogue
int fuse_norm(Graph& graph);       // the residual's gradient into layer_norm_grad
int expand(Graph& graph, const std::function<bool(const Node&)>& keep);  // fused ops that are not
                                                                         // kept -> decompositions

// Precision. convert_floats rebuilds f32 graphs in another float type (f64 for the oracle).
int convert_floats(Graph& graph, DType to);
int mixed_precision(Graph& graph, DType operand);  // matmul and linear read 16-bit operands
int narrow_params(Graph& graph, DType to);  // params that are only cast to it are stored in it

// Memory. Where most is taken, by the plan of whoever runs the graph: `bytes` of the whole plan,
// what is alive then besides the graph's inputs, and the node that runs (null: the end of a run).
struct MemoryPeak {
  int64_t bytes = 0;
  std::vector<Value> alive;
  const Node* node = nullptr;
};
using PlanPeak = std::function<MemoryPeak(const Graph&)>;
// Computes values again until `plan` says that at most `budget` bytes are needed. Error saying the
// least that it reached.
int rematerialise(Graph& graph, int64_t budget, const PlanPeak& plan);
// As few bytes as can be had for `extra` of the graph's work: 0.01 is one in a hundred.
int rematerialise_within(Graph& graph, double extra, const PlanPeak& plan);

// A named pass as the driver and `graph passes` see it.
struct Pass {
  std::string_view name;
  int (*run)(Graph&);
};
struct PassReport {
  std::string name;
  int fired = 0;
  double milliseconds = 0.0;
};

// The two flat lists: on the forward graph, before autodiff; and on the whole graph, after it.
std::span<const Pass> forward_passes();
std::span<const Pass> training_passes();

// Runs the list once, in order; verifies after every pass in debug builds. `after` sees the graph
// after every pass that fired.
std::vector<PassReport> run_passes(
    Graph& graph, std::span<const Pass> passes,
    const std::function<void(const Pass&, const Graph&)>& after = {});

}  // namespace grimace

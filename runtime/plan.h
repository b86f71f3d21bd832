// The static memory plan: every value of a graph gets an offset in one arena before anything runs.
#pragma once

#include <string>

#include "ir/passes/passes.h"

namespace grimace {

struct MemoryPlan {
  // Offset of every value, graph inputs included. Values that share an offset share memory.
  ValueMap<int64_t> offset;
  // For updates whose new value was not computed in place: done at the end of a run, in order.
  struct Copy {
    int64_t from = 0;  // offsets
    int64_t to = 0;
    int64_t bytes = 0;
  };
  std::vector<Copy> copies;
  // Nodes that depend on nothing that changes between runs (constants, and params no update
  // touches): run once, again after such a param was written. Their results stay.
  std::unordered_map<const Node*, bool> stable;

  int64_t persistent_bytes = 0;   // inputs, params, states, constants and stable results
  int64_t transient_bytes = 0;    // everything else, reused
  int64_t lower_bound_bytes = 0;  // the largest sum of transient values alive at one time
  int64_t arena_bytes() const { return persistent_bytes + transient_bytes; }

  // The first moment of lower_bound_bytes, with arena_bytes: what of the transient values is alive.
  MemoryPeak peak;
};

constexpr int64_t kAlignment = 64;

// Whether the value changes only when somebody writes a param.
bool is_stable(const MemoryPlan& plan, Value value);

// Liveness in node order, then largest-first placement at the lowest free offset, or by first use
// where there are more than ten thousand values. reshape never moves data; an elementwise result
// takes the place of an input that dies; params and states are updated in place where every reader
// comes before the write. Error when all values together pass 2^60 bytes.
MemoryPlan plan_memory(const Graph& graph);

// Has values computed again until the plan takes at most `budget` bytes; Error saying the least
// that is possible. Without a budget, 0, a training step gives 2 % of its work for a smaller plan.
void fit_memory(Graph& graph, int64_t budget);

}  // namespace grimace

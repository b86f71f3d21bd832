// A picture of a graph for Graphviz: nodes in nested boxes by scope, edges with their types.
#pragma once

#include <string>

#include "ir/graph.h"

namespace grimace {

// Params and constants are shown beside the nodes that read them; outputs and updates have nodes of
// their own. All text is escaped.
std::string to_dot(const Graph& graph);

}  // namespace grimace

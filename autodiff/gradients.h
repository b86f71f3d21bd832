// Reverse-mode differentiation, graph to graph: gradients are built from the ops' own `grad`
// functions, as ordinary nodes that passes and backends treat like any other.
#pragma once

#include <vector>

#include "ir/builder.h"

namespace grimace {

// d loss / d target for every target, appended to the graph under scope "grad/<scope>". `loss` is a
// scalar. A target that the loss does not depend on gets exact zeros. Error naming the node where
// a gradient would have to pass through an op that has none.
std::vector<Value> gradients(Builder& b, Value loss, const std::vector<Value>& targets);

}  // namespace grimace

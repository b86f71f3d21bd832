// Checks every invariant of a graph; run after parsing, loading, and every pass in debug builds.
#pragma once

#include "ir/graph.h"

namespace grimace {

// Limits of a graph, checked early by whoever reads one from a file.
constexpr size_t kMaxNodes = 100'000;  // the largest of the models' training steps has 2,800
constexpr size_t kMaxGraphInputs = 100'000;
constexpr size_t kMaxUses = 1'600'000;   // inputs of all nodes together
constexpr size_t kMaxOutputs = 20'000;   // outputs, and updates
constexpr size_t kMaxName = 1'024;       // characters of a name or scope
constexpr size_t kMaxAttribute = 4'096;  // characters of an attribute's value in text form

// Throws Error naming the node and the rule: inputs defined before use and of this graph, result
// types equal to what the op infers, use lists consistent, names and scopes words (is_word) within
// the limits, unique names of graph inputs and of outputs, constants of the right size, updates of
// params and states only, of their own type and at most one each.
void verify(const Graph& graph);

}  // namespace grimace

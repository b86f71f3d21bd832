// What the rule-based passes share: how a value takes another's place, and the driver that applies
// a list of rules until none fires.
#pragma once

#include <span>

#include "ir/builder.h"

namespace grimace {

// match -> guards -> replacement. Returns the value that shall stand for the only result of `node`
// (what it builds lands before the node, in its scope), or null, having built nothing. A value that
// is there already does not get to stand for an output: the driver then goes on to the next rule.
using Rule = Value (*)(Builder& b, const Node& node);

// Tries the rules on every node, on the nodes they build too, until a whole sweep changes nothing.
// Returns how often a rule fired; InternalError past 100 firings per node, because rules that undo
// each other would never end. Dead nodes are passed over; those a rule leaves dead are erased.
int rewrite(Graph& graph, std::span<const Rule> rules);

// Every use of `from` now reads `to`, which takes its name unless it has one.
void take_place(Graph& graph, Value from, Value to);

// What stands for `cut`, which read some rows of f's result: `f` itself on inputs of fewer rows. It
// stays in its scope, and keeps its name where `cut` has none.
Value on_fewer_rows(Builder& b, const Node& f, std::vector<Value> inputs, const Node& cut);

// Erases the node when it is unused, and then whatever only it kept alive.
void erase_unused(Graph& graph, Node& node);

}  // namespace grimace

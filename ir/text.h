// The text form: readable, diffable, parseable. parse(print(g)) equals g.
//
//   graph lgi_ffn {
//     input %x : f32[8x101x512]
//     param @fc1.w : f32[2048x512]
//     constant @mean : f32[3] = [0.485,0.456,0.406]
//     %h = linear %x, @fc1.w : f32[8x101x2048]  # encoder/blocks.0/mlp
//     %y, %y.1, %y.2 = layer_norm %h, @w, @b {eps=1e-06} : f32[..], f32[..], f32[..]
//     output y = %y          ("output %y" when the names agree)
//     update @fc1.w = %new_w
//   }
//
// Inputs of role `input` and results of nodes are %name; params, states and constants are @name.
// Attributes come in declaration order, defaults left out. The scope follows as "  # scope".
//
// A result without a name prints under an automatic one: %<op>_<n> where the node is the n-th of
// its op, counted from 0, and %<result 0>.<i> for a further result i. Where two values would print
// alike, the later one gets the suffix _2, _3, ... . A name that is read back as the automatic one
// stays unset, so a graph prints the same after it was parsed.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "ir/graph.h"

namespace grimace {

std::string print(const Graph& graph);

// What each value is called in the printed graph, with its sigil: "%h", "@fc1.w".
ValueMap<std::string> printed_names(const Graph& graph);
// One line, without the scope. Without `names` its cost is linear in the size of the graph.
std::string print(const Node& node);
std::string print(const Node& node, const ValueMap<std::string>& names);

// Error "line 7: ..." for anything that is not a valid graph. The result is verified. Blank lines
// and comments (# to the end of the line; after a node it is the scope) are allowed.
std::unique_ptr<Graph> parse(std::string_view text);
// Same inputs, nodes, attributes, scopes, outputs and updates, in the same order. Names of
// intermediate values count as they print; constants compare by their bytes.
bool equal(const Graph& a, const Graph& b);

}  // namespace grimace

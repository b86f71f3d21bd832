// Common subexpression elimination: two nodes of one op with the same inputs and attributes make
// the same values, so the earlier stands for both. Every op is pure, random ones included.
#include <algorithm>
#include <bit>
#include <unordered_map>

#include "ir/op_def.h"
#include "ir/passes/passes.h"
#include "ir/passes/rewrite.h"

namespace grimace {
namespace {

// What makes two nodes equal, as text. Attributes print exactly (-0 is not 0).
std::string key_of(const Node& node) {
  std::vector<const ValueDef*> inputs;
  for (const Value& input : node.inputs()) inputs.push_back(input.def());
  if (node.op().commutative) std::sort(inputs.begin(), inputs.end());
  std::string key(node.op_name());
  for (const ValueDef* input : inputs) key += ' ' + std::to_string(std::bit_cast<uintptr_t>(input));
  for (const AttrValue& attr : node.attrs()) key += ' ' + to_text(attr);
  return key;
}

// Outputs and updates keep their own values: two of one value could not share a buffer in place.
bool may_merge(const Node& earlier, const Node& later) {
  for (int i = 0; i < later.num_results(); ++i)
    if (earlier.result(i).is_output() && later.result(i).is_output()) return false;
  return true;
}

//   a = f(x) ; b = f(x)  ->  a = f(x)
void merge(Graph& graph, Node& earlier, Node& later) {
  for (int i = 0; i < later.num_results(); ++i)
    take_place(graph, later.result(i), earlier.result(i));
  graph.erase(later);
}

}  // namespace

int eliminate_common(Graph& graph) {
  int fired = 0;
  std::unordered_map<std::string, Node*> seen;
  std::list<Node>& nodes = graph.nodes();
  for (auto it = nodes.begin(); it != nodes.end();) {
    Node& node = *it++;
    const auto [known, is_new] = seen.try_emplace(key_of(node), &node);
    if (is_new || !may_merge(*known->second, node)) continue;
    merge(graph, *known->second, node);
    ++fired;
  }
  return fired;
}

}  // namespace grimace

// Replaces fused ops by their decompositions, where the caller does not keep them: how a backend
// without a kernel for a fused op still runs the graph.
#include "ir/op_def.h"
#include "ir/passes/passes.h"
#include "ir/passes/rewrite.h"

namespace grimace {
namespace {

//   linear(x, w, bias)  ->  matmul(x, w) ; add bias
void decompose(Graph& graph, Node& node) {
  const InsertBefore here(graph, node);
  Builder b(graph);
  const std::vector<Value> parts = node.op().decompose(b, node);
  internal_check(static_cast<int>(parts.size()) == node.num_results(), node.describe(),
                 " decomposes into ", parts.size(), " results instead of ", node.num_results());
  for (int i = 0; i < node.num_results(); ++i)
    take_place(graph, node.result(i), parts[static_cast<size_t>(i)]);
}

}  // namespace

int expand(Graph& graph, const std::function<bool(const Node&)>& keep) {
  int fired = 0;
  std::list<Node>& nodes = graph.nodes();
  for (auto it = nodes.begin(); it != nodes.end();) {
    if (it->op().decompose == nullptr || keep(*it)) {
      ++it;
      continue;
    }
    const bool at_front = it == nodes.begin();
    const auto previous = at_front ? it : std::prev(it);
    decompose(graph, *it);
    graph.erase(*it);
    it = at_front ? nodes.begin() : std::next(previous);  // the parts may be fused ops too
    ++fired;
  }
  if (fired > 0) eliminate_dead(graph);  // parts of results that nothing reads
  return fired;
}

}  // namespace grimace

// Dead code elimination: erases nodes, and constants, that no output or update needs.
#include "ir/passes/guards.h"
#include "ir/passes/passes.h"

namespace grimace {

int eliminate_dead(Graph& graph) {
  int fired = 0;
  std::list<Node>& nodes = graph.nodes();
  // From the last node to the first: a node comes up after everything that could read it.
  for (auto it = nodes.end(); it != nodes.begin();) {
    const auto current = std::prev(it);
    if (unused(*current)) {
      graph.erase(*current);
      ++fired;
    } else {
      it = current;
    }
  }
  return fired + graph.erase_unused_constants();
}

}  // namespace grimace

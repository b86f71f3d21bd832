// What comes back around a block is added where layer_norm's gradient is made, not in a pass over
// memory of its own. (Forward, the residual is the epilogue of the product before it: fuse_linear.)
#include <algorithm>

#include "ir/passes/guards.h"
#include "ir/passes/passes.h"
#include "ir/passes/rewrite.h"

namespace grimace {
namespace {

bool exists_before(const Graph& graph, Value v, const Node& node) {
  return v.is_graph_input() || graph.before(*v.producer(), node);
}

//   layer_norm_grad(dy, x, ...) ; add residual  ->  layer_norm_grad(dy, x, ..., residual)
bool fuse_residual(Graph& graph, Node& norm) {
  const Value dx = norm.result();
  if (!norm.is(op_layer_norm_grad) || norm.num_inputs() == 6 || !dx.single_use()) return false;
  Node& add = *dx.users().front();
  if (!add.is(op_add) || !same_type(add.input(0), add.input(1))) return false;
  const Value residual = add.input(add.input(0) == dx ? 1 : 0);
  if (!exists_before(graph, residual, norm)) return false;
  std::vector<Value> inputs = norm.inputs();
  inputs.push_back(residual);
  const InsertBefore here(graph, norm);
  const auto results = Builder(graph).emit_all(op_layer_norm_grad, std::move(inputs));
  take_place(graph, add.result(), results[0]);
  for (int i = 1; i < norm.num_results(); ++i)
    take_place(graph, norm.result(i), results[static_cast<size_t>(i)]);
  graph.erase(add);
  graph.erase(norm);
  return true;
}

}  // namespace

int fuse_norm(Graph& graph) {
  std::vector<Node*> norms;
  for (Node& node : graph.nodes())
    if (node.is(op_layer_norm_grad)) norms.push_back(&node);
  return static_cast<int>(
      std::ranges::count_if(norms, [&](Node* norm) { return fuse_residual(graph, *norm); }));
}

}  // namespace grimace

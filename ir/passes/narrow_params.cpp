// Stores a parameter in the 16-bit type that all its readers cast it to. Only where nothing updates
// it, as in inference: a parameter that is trained keeps its f32 master weights.
#include <algorithm>

#include "ir/op_def.h"
#include "ir/passes/passes.h"

namespace grimace {
namespace {

//   param @w : f32 ; cast @w {to=bf16}  ->  param @w : bf16
bool narrow(Graph& graph, Value param, DType to) {
  const auto casts = [&](const Node* user) { return user->is(op_cast) && user->out().dtype == to; };
  if (param.dtype() != DType::f32 || param.users().empty() || param.is_output() ||
      !std::ranges::all_of(param.users(), casts) || param.is_updated())
    return false;
  graph.set_type(param, {to, param.shape()});
  const std::vector<Node*> users = param.users();
  for (Node* cast : users) {
    graph.replace_uses(cast->result(), param);
    graph.erase(*cast);
  }
  return true;
}

}  // namespace

int narrow_params(Graph& graph, DType to) {
  internal_check(is_float(to) && size_of(to) == 2, "narrow_params to ", to);
  int fired = 0;
  for (const Value& param : graph.inputs(Role::param)) fired += narrow(graph, param, to) ? 1 : 0;
  return fired;
}

}  // namespace grimace

// Rebuilds an f32 graph in another float type: inputs, constants and the dtype attributes that say
// f32 change, then every node infers its results anew. f64 makes the oracle of the golden tests.
#include "ir/op_def.h"
#include "ir/passes/passes.h"

namespace grimace {
namespace {

std::vector<std::byte> widened(const ValueDef& constant) {
  const ConstView view{constant.type, constant.data.data()};
  const auto from = view.as<float>();
  const std::vector<double> to(from.begin(), from.end());
  const auto bytes = std::as_bytes(std::span(to));
  return {bytes.begin(), bytes.end()};
}

int convert_input(Graph& graph, Value input, DType to) {
  if (input.dtype() != DType::f32) return 0;
  if (input.is(Role::constant)) input.def()->data = widened(*input.def());
  graph.set_type(input, {to, input.shape()});
  return 1;
}

int convert_node(Graph& graph, Node& node, DType to) {
  for (int i = 0; i < node.op().num_attrs(); ++i) {
    const AttrSpec& spec = node.op().attrs[static_cast<size_t>(i)];
    if (spec.name == "result") continue;  // f32 there means: not rounded
    if (spec.kind == AttrKind::dtype && node.dtype(spec.name) == DType::f32)
      graph.set_attr(node, spec.name, to);
  }
  int changed = 0;
  const std::vector<TensorType> types = node.infer();
  for (int i = 0; i < node.num_results(); ++i) {
    const TensorType& type = types[static_cast<size_t>(i)];
    if (type == node.out(i)) continue;
    graph.set_type(node.result(i), type);
    changed = 1;
  }
  return changed;
}

}  // namespace

int convert_floats(Graph& graph, DType to) {
  internal_check(to == DType::f64 || to == DType::f32, "convert_floats to ", to,
                 ": 16-bit graphs come from mixed_precision");
  if (to == DType::f32) return 0;
  int fired = 0;
  for (const Value& input : graph.inputs()) fired += convert_input(graph, input, to);
  for (Node& node : graph.nodes()) fired += convert_node(graph, node, to);
  return fired;
}

}  // namespace grimace

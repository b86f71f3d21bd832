#include "autodiff/gradients.h"

#include <unordered_set>

#include "ir/op_def.h"

namespace grimace {
namespace {

using ValueSet = std::unordered_set<Value, ValueHash>;

// Values between the targets and the loss: the only ones whose gradient is worth building.
ValueSet reached_from(const Graph& graph, const std::vector<Value>& targets) {
  ValueSet reached(targets.begin(), targets.end());
  for (const Node& node : graph.nodes()) {
    bool any = false;
    for (const Value& input : node.inputs()) any = any || reached.contains(input);
    for (int i = 0; any && i < node.num_results(); ++i)
      if (is_float(node.out(i).dtype)) reached.insert(node.result(i));
  }
  return reached;
}

class Tape {
 public:
  explicit Tape(Builder& b) : b_(b) {}
  void accumulate(Value value, Value gradient) {
    internal_check(value.type() == gradient.type(), "gradient of ", value.name(), " ", value.type(),
                   " has type ", gradient.type());
    const auto [slot, fresh] = gradients_.try_emplace(value, gradient);
    if (!fresh) slot->second = b_.add(slot->second, gradient);
  }
  Value find(Value value) const {
    const auto found = gradients_.find(value);
    return found == gradients_.end() ? Value{} : found->second;
  }

 private:
  Builder& b_;
  ValueMap<Value> gradients_;
};

void differentiate(Builder& b, const Node& node, const ValueSet& wanted, Tape& tape) {
  std::vector<Value> dy;
  bool any = false;
  for (int i = 0; i < node.num_results(); ++i) {
    dy.push_back(tape.find(node.result(i)));
    any = any || dy.back();
  }
  bool needed = false;
  for (const Value& input : node.inputs()) needed = needed || wanted.contains(input);
  if (!any || !needed) return;
  // floor and comparisons are flat almost everywhere: nothing flows through them.
  if (node.op().grad == nullptr && (node.is(op_floor) || !is_float(node.out().dtype))) return;
  node.require(node.op().grad != nullptr, "the gradient of '", node.op_name(),
               "' is not defined, but the loss depends on it");
  const Scope scope(b, node.scope().empty() ? "grad" : "grad/" + node.scope());
  const std::vector<Value> dx = node.op().grad(b, node, dy);
  for (size_t i = 0; i < dx.size(); ++i)
    if (dx[i] && wanted.contains(node.input(static_cast<int>(i))))
      tape.accumulate(node.input(static_cast<int>(i)), dx[i]);
}

}  // namespace

std::vector<Value> gradients(Builder& b, Value loss, const std::vector<Value>& targets) {
  check(loss.type().numel() == 1 && is_float(loss.dtype()),
        "gradients: the loss must be one float; got ", loss.type());
  Graph& graph = b.graph();
  std::vector<const Node*> forward;
  for (const Node& node : graph.nodes()) forward.push_back(&node);
  const ValueSet wanted = reached_from(graph, targets);
  const std::string outer = graph.scope;
  graph.scope.clear();
  Tape tape(b);
  tape.accumulate(loss, b.full(1.0, loss.shape(), loss.dtype()));
  for (auto node = forward.rbegin(); node != forward.rend(); ++node)
    differentiate(b, **node, wanted, tape);
  std::vector<Value> result;
  for (const Value& target : targets) {
    const Value gradient = tape.find(target);
    result.push_back(gradient ? gradient : b.zeros_like(target));
  }
  graph.scope = outer;
  return result;
}

}  // namespace grimace

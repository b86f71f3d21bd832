#include "ir/passes/rewrite.h"

#include <algorithm>

#include "ir/passes/guards.h"

namespace grimace {

void take_place(Graph& graph, Value from, Value to) {
  std::string name = from.name();
  graph.rename(from, "");
  if (to.name().empty()) graph.rename(to, std::move(name));
  graph.replace_uses(from, to);
}

Value on_fewer_rows(Builder& b, const Node& f, std::vector<Value> inputs, const Node& cut) {
  const std::string& name = cut.result().name();
  b.graph().scope = f.scope();
  return b.emit(f.op(), std::move(inputs), f.named_attrs(), name.empty() ? f.result().name() : "");
}

void erase_unused(Graph& graph, Node& node) {
  std::vector<Node*> pending{&node};
  while (!pending.empty()) {
    Node* const next = pending.back();
    pending.pop_back();
    if (!unused(*next)) continue;
    std::vector<Node*> producers;
    for (const Value& input : next->inputs())
      if (input.producer() != nullptr) producers.push_back(input.producer());
    graph.erase(*next);
    std::sort(producers.begin(), producers.end());
    producers.erase(std::unique(producers.begin(), producers.end()), producers.end());
    for (Node* producer : producers)
      if (unused(*producer)) pending.push_back(producer);
  }
}

namespace {

// An output or update keeps a value of its own: a graph input may be overwritten in place, and two
// outputs of one value could not be.
bool may_stand_for(Value replacement, Value named) {
  return !named.is_output() || (!replacement.is_graph_input() && !replacement.is_output());
}

Value first_match(Graph& graph, Node& node, std::span<const Rule> rules) {
  const InsertBefore here(graph, node);
  Builder b(graph);
  for (const Rule rule : rules)
    if (const Value replacement = rule(b, node))
      if (may_stand_for(replacement, node.result())) return replacement;
  return {};
}

int sweep(Graph& graph, std::span<const Rule> rules, int limit) {
  int fired = 0;
  std::list<Node>& nodes = graph.nodes();
  for (auto it = nodes.begin(); it != nodes.end();) {
    Node& node = *it;
    const bool at_front = it == nodes.begin();
    const auto previous = at_front ? it : std::prev(it);
    const Value replacement = unused(node) ? Value{} : first_match(graph, node, rules);
    if (!replacement) {
      ++it;
      continue;
    }
    internal_check(++fired <= limit, "rewriting does not end; it is at ", node.describe());
    // Go on with the first node the rule built, or behind the replaced one.
    it = at_front ? nodes.begin() : std::next(previous);
    if (&*it == &node) ++it;
    take_place(graph, node.result(), replacement);
    erase_unused(graph, node);
  }
  return fired;
}

}  // namespace

int rewrite(Graph& graph, std::span<const Rule> rules) {
  const int limit = 100 * static_cast<int>(graph.nodes().size());
  int total = 0;
  while (const int fired = sweep(graph, rules, limit - total)) total += fired;
  return total;
}

}  // namespace grimace

// Prints graphs as text, names their values, and compares graphs.
#include <algorithm>

#include "ir/constant_text.h"
#include "ir/op_def.h"
#include "ir/text.h"

namespace grimace {
namespace {

// Hands out each name once: a name that is taken gets the suffix _2, _3, ...
class UniqueNames {
 public:
  std::string take(std::string wanted) {
    const auto [entry, fresh] = last_suffix_.try_emplace(wanted, 1);
    if (fresh) return wanted;
    int& suffix = entry->second;  // stays good while the map grows
    std::string name;
    do name = wanted + "_" + std::to_string(++suffix);
    while (!last_suffix_.try_emplace(name, 1).second);
    return name;
  }

 private:
  std::unordered_map<std::string, int> last_suffix_;
};

std::string attrs_text(const Node& node) {
  std::string out;
  for (size_t i = 0; i < node.attrs().size(); ++i) {
    const AttrSpec& spec = node.op().attrs[i];
    const std::string text = to_text(node.attrs()[i]);
    if (!spec.fallback.empty() && text == to_text(attr_from_text(spec.kind, spec.fallback)))
      continue;
    out += (out.empty() ? " {" : ", ") + std::string(spec.name) + "=" + text;
  }
  return out.empty() ? out : out + "}";
}

std::string input_line(Value input, const std::string& name) {
  std::string out = cat(name_of(input.def()->role), " ", name, " : ", input.type());
  if (input.is(Role::constant)) out += " = " + constant_to_text(input.type(), input.def()->data);
  return out;
}

}  // namespace

ValueMap<std::string> printed_names(const Graph& graph) {
  ValueMap<std::string> names;
  UniqueNames unique;
  for (const Value& v : graph.inputs())
    names[v] = unique.take((v.is(Role::input) ? "%" : "@") + v.name());
  std::unordered_map<const OpDef*, int> nodes_of;
  for (const Node& node : graph.nodes()) {
    const std::string automatic =
        "%" + std::string(node.op_name()) + "_" + std::to_string(nodes_of[&node.op()]++);
    for (int i = 0; i < node.num_results(); ++i) {
      const Value v = node.result(i);
      names[v] = unique.take(!v.name().empty() ? "%" + v.name()
                             : i == 0          ? automatic
                                      : names.at(node.result(0)) + "." + std::to_string(i));
    }
  }
  return names;
}

std::string print(const Node& node, const ValueMap<std::string>& names) {
  std::string results;
  std::string types;
  for (int i = 0; i < node.num_results(); ++i) {
    results += (i > 0 ? ", " : "") + names.at(node.result(i));
    types += (i > 0 ? ", " : "") + to_string(node.out(i));
  }
  std::string inputs;
  for (const Value& v : node.inputs()) inputs += (inputs.empty() ? " " : ", ") + names.at(v);
  return results + " = " + std::string(node.op_name()) + inputs + attrs_text(node) + " : " + types;
}

std::string print(const Node& node) {
  return print(node, printed_names(node.graph()));
}

std::string print(const Graph& graph) {
  const ValueMap<std::string> names = printed_names(graph);
  std::string out = "graph " + graph.name() + " {\n";
  for (const Value& v : graph.inputs()) out += "  " + input_line(v, names.at(v)) + "\n";
  for (const Node& node : graph.nodes())
    out += "  " + print(node, names) + (node.scope().empty() ? "" : "  # " + node.scope()) + "\n";
  for (const Output& output : graph.outputs()) {
    const std::string& name = names.at(output.value);
    const bool agree = name.substr(1) == output.name;
    out += "  output " + (agree ? "" : output.name + " = ") + name + "\n";
  }
  for (const Update& update : graph.updates())
    out += "  update " + names.at(update.target) + " = " + names.at(update.value) + "\n";
  return out + "}\n";
}

namespace {

// Walks two graphs side by side; `twin` maps the values of the first to those of the second.
class Comparison {
 public:
  Comparison(const Graph& a, const Graph& b)
      : a_(a), b_(b), names_a_(printed_names(a)), names_b_(printed_names(b)) {}

  bool equal() {
    const auto same_input = [this](Value a, Value b) {
      return a.def()->role == b.def()->role && a.def()->data == b.def()->data && pair(a, b);
    };
    const auto same_node = [this](const Node& a, const Node& b) { return pair_nodes(a, b); };
    const auto same_output = [this](const Output& a, const Output& b) {
      return a.name == b.name && twins(a.value, b.value);
    };
    const auto same_update = [this](const Update& a, const Update& b) {
      return twins(a.target, b.target) && twins(a.value, b.value);
    };
    return all(a_.inputs(), b_.inputs(), same_input) && all(a_.nodes(), b_.nodes(), same_node) &&
           all(a_.outputs(), b_.outputs(), same_output) &&
           all(a_.updates(), b_.updates(), same_update);
  }

 private:
  template <typename List, typename Same>
  static bool all(const List& a, const List& b, const Same& same) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end(), same);
  }
  bool twins(Value a, Value b) const { return twin_.at(a) == b; }
  bool pair(Value a, Value b) {
    twin_[a] = b;
    return a.type() == b.type() && names_a_.at(a) == names_b_.at(b);
  }
  bool pair_nodes(const Node& a, const Node& b) {
    const auto same_attr = [](const AttrValue& x, const AttrValue& y) {
      return to_text(x) == to_text(y);  // NaN equals itself, 0 differs from -0
    };
    bool same = &a.op() == &b.op() && a.scope() == b.scope() &&
                a.num_results() == b.num_results() && all(a.attrs(), b.attrs(), same_attr) &&
                all(a.inputs(), b.inputs(), [this](Value x, Value y) { return twins(x, y); });
    for (int i = 0; same && i < a.num_results(); ++i) same = pair(a.result(i), b.result(i));
    return same;
  }

  const Graph& a_;
  const Graph& b_;
  ValueMap<std::string> names_a_;
  ValueMap<std::string> names_b_;
  ValueMap<Value> twin_;
};

}  // namespace

bool equal(const Graph& a, const Graph& b) {
  return Comparison(a, b).equal();
}

}  // namespace grimace

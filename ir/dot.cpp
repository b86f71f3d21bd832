// Scopes form a tree of boxes; edges follow once all nodes are placed.
#include "ir/dot.h"

#include <map>

#include "ir/op_def.h"
#include "ir/text.h"

namespace grimace {
namespace {

std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + "\"";
}

struct Box {
  std::map<std::string, Box> inner;
  std::vector<std::string> lines;  // of the nodes directly in it
};

// The box of a scope "encoder/blocks.3/mlp", made on the way.
Box& box_of(Box& root, std::string_view scope) {
  Box* box = &root;
  while (!scope.empty()) {
    const size_t slash = std::min(scope.find('/'), scope.size());
    box = &box->inner[std::string(scope.substr(0, slash))];
    scope.remove_prefix(std::min(slash + 1, scope.size()));
  }
  return *box;
}

void write_box(const Box& box, const std::string& indent, int& count, std::string& out) {
  for (const std::string& line : box.lines) out += indent + line + "\n";
  for (const auto& [name, inner] : box.inner) {
    out += indent + "subgraph cluster_" + std::to_string(count++) + " {\n";
    out += indent + "  label=" + quoted(name) + ";\n";
    write_box(inner, indent + "  ", count, out);
    out += indent + "}\n";
  }
}

class Drawing {
 public:
  explicit Drawing(const Graph& graph) : graph_(graph), names_(printed_names(graph)) {}

  std::string text() {
    for (const Value& v : graph_.inputs()) input(v);
    for (const Node& node : graph_.nodes()) this->node(node);
    for (size_t i = 0; i < graph_.outputs().size(); ++i)
      result("o" + std::to_string(i), "output " + graph_.outputs()[i].name,
             graph_.outputs()[i].value);
    for (size_t i = 0; i < graph_.updates().size(); ++i)
      result("u" + std::to_string(i), "update " + names_.at(graph_.updates()[i].target),
             graph_.updates()[i].value);
    std::string out = "digraph " + quoted(graph_.name()) + " {\n";
    out += "  node [shape=box];\n";
    int count = 0;
    write_box(root_, "  ", count, out);
    for (const std::string& edge : edges_) out += "  " + edge + "\n";
    return out + "}\n";
  }

 private:
  static std::string shape(std::string_view id, std::string_view label, std::string_view style) {
    return cat(id, " [label=", quoted(label), style, "];");
  }

  void edge(Value from, const std::string& to) {
    edges_.push_back(
        cat(id_.at(from), " -> ", to, " [label=", quoted(to_string(from.type())), "];"));
  }

  // An input of the graph, in the box of the first node that reads it.
  void input(Value v) {
    id_[v] = "i" + std::to_string(id_.size());
    const std::string scope = v.users().empty() ? "" : v.users()[0]->scope();
    box_of(root_, scope)
        .lines.push_back(
            shape(id_.at(v), cat(name_of(v.def()->role), " ", names_.at(v)), ", shape=ellipse"));
  }

  void node(const Node& node) {
    const std::string id = "n" + std::to_string(nodes_++);
    const std::string text = print(node, names_);
    box_of(root_, node.scope()).lines.push_back(shape(id, text, ""));
    for (const Value& v : node.inputs()) edge(v, id);
    for (int i = 0; i < node.num_results(); ++i) id_[node.result(i)] = id;
  }

  void result(const std::string& id, const std::string& label, Value value) {
    root_.lines.push_back(shape(id, label, ", style=bold"));
    edge(value, id);
  }

  const Graph& graph_;
  ValueMap<std::string> names_;
  ValueMap<std::string> id_;
  Box root_;
  std::vector<std::string> edges_;
  int nodes_ = 0;
};

}  // namespace

std::string to_dot(const Graph& graph) {
  return Drawing(graph).text();
}

}  // namespace grimace

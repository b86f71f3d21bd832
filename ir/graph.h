// The graph: SSA nodes in topological order, graph inputs with roles, named outputs, and update
// edges that give a param or state its next value. Graph owns everything; Value and Node* are
// handles that stay good until the thing is erased.
#pragma once

#include <list>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "ir/attributes.h"
#include "ir/error.h"
#include "ir/types.h"

namespace grimace {

class Graph;
class Node;
struct OpDef;

// What a graph input is: given every step, trained, carried from step to step (optimizer moments,
// counters), or a literal stored in the graph.
enum class Role : uint8_t { input, param, state, constant };
std::string_view name_of(Role role);

struct ValueDef {
  Graph* graph = nullptr;
  TensorType type;
  std::string name;             // empty: printed as <op>_<n>
  Node* producer = nullptr;     // null for a graph input
  int result = 0;               // which result of the producer
  Role role = Role::input;      // of a graph input
  std::vector<std::byte> data;  // of a constant
  std::vector<Node*> users;     // one entry per use
  int graph_uses = 0;           // as a named output or the new value of an update
  bool updated = false;         // whether an update gives it its next value
};

// A handle to one tensor of a graph; null when default-constructed.
class Value {
 public:
  Value() = default;
  explicit Value(ValueDef* def) : def_(def) {}

  explicit operator bool() const { return def_ != nullptr; }
  bool operator==(const Value& other) const = default;
  ValueDef* def() const { return def_; }
  const TensorType& type() const { return def_->type; }
  const Shape& shape() const { return def_->type.shape; }
  DType dtype() const { return def_->type.dtype; }
  int64_t dim(int axis) const { return def_->type.shape[axis]; }
  const std::string& name() const { return def_->name; }
  Node* producer() const { return def_->producer; }
  bool is_graph_input() const { return def_->producer == nullptr; }
  bool is(Role role) const { return is_graph_input() && def_->role == role; }
  const std::vector<Node*>& users() const { return def_->users; }
  bool is_updated() const { return def_->updated; }
  bool is_output() const { return def_->graph_uses > 0; }  // or the new value of an update
  // One node reads it, once, and no output or update: it may vanish into that node.
  bool single_use() const { return def_->users.size() == 1 && def_->graph_uses == 0; }
  bool unused() const { return def_->users.empty() && def_->graph_uses == 0; }
  Graph& graph() const { return *def_->graph; }

 private:
  ValueDef* def_ = nullptr;
};

struct ValueHash {
  size_t operator()(Value v) const { return std::hash<ValueDef*>{}(v.def()); }
};
template <typename T>
using ValueMap = std::unordered_map<Value, T, ValueHash>;

class Node {
 public:
  const OpDef& op() const { return *op_; }
  std::string_view op_name() const;
  bool is(const OpDef& op) const { return op_ == &op; }
  Graph& graph() const { return *graph_; }
  const std::string& scope() const { return scope_; }

  int num_inputs() const { return static_cast<int>(inputs_.size()); }
  int num_results() const { return static_cast<int>(results_.size()); }
  Value input(int i) const { return inputs_[static_cast<size_t>(i)]; }
  Value result(int i = 0) const { return Value(results_[static_cast<size_t>(i)].get()); }
  const std::vector<Value>& inputs() const { return inputs_; }
  const TensorType& in(int i) const { return input(i).type(); }
  const TensorType& out(int i = 0) const { return result(i).type(); }

  // Attributes by declared name; InternalError for a name or kind the op does not declare.
  int64_t integer(std::string_view name) const { return std::get<int64_t>(attr(name)); }
  double real(std::string_view name) const { return std::get<double>(attr(name)); }
  bool flag(std::string_view name) const { return std::get<bool>(attr(name)); }
  const std::string& text(std::string_view name) const { return std::get<std::string>(attr(name)); }
  const std::vector<int64_t>& integers(std::string_view name) const {
    return std::get<std::vector<int64_t>>(attr(name));
  }
  DType dtype(std::string_view name) const { return std::get<DType>(attr(name)); }
  const AttrValue& attr(std::string_view name) const;
  const std::vector<AttrValue>& attrs() const { return attrs_; }  // in the op's declaration order
  std::vector<NamedAttr> named_attrs() const;                     // to give to another of its op

  // "linear %h (encoder/blocks.3)", for messages.
  std::string describe() const;
  // Throws Error "<describe()>: <parts>" when not ok: how infer functions report the user's errors.
  template <typename... Parts>
  void require(bool ok, const Parts&... parts) const {
    if (!ok) [[unlikely]]
      throw Error(cat(describe(), ": ", parts...));
  }
  // Result types by the op's rule. Every Error names the node, whatever threw it.
  std::vector<TensorType> infer() const;

 private:
  friend class Graph;
  Graph* graph_ = nullptr;
  const OpDef* op_ = nullptr;
  std::vector<Value> inputs_;
  std::vector<std::unique_ptr<ValueDef>> results_;
  std::vector<AttrValue> attrs_;
  std::string scope_;
  std::string wanted_name_;  // of result 0, known before the results exist
  std::list<Node>::iterator self_;
};

struct Output {
  std::string name;
  Value value;
};
struct Update {
  Value target;  // a param or state
  Value value;   // its next value, of the same type
};

class Graph {
 public:
  explicit Graph(std::string name = "main") : name_(std::move(name)) {}
  Graph(Graph&&) = delete;  // values point back here; hold a graph by unique_ptr to pass it on

  const std::string& name() const { return name_; }

  // Graph inputs. Names are unique among them; Error otherwise.
  Value add_input(Role role, std::string name, const TensorType& type);
  Value add_constant(std::string name, const TensorType& type, std::span<const std::byte> data);
  const std::vector<Value>& inputs() const { return inputs_; }
  std::vector<Value> inputs(Role role) const;
  Value find_input(std::string_view name) const;  // null when there is none
  int erase_unused_constants();                   // returns how many there were

  // Nodes in topological order.
  std::list<Node>& nodes() { return nodes_; }
  const std::list<Node>& nodes() const { return nodes_; }
  // A new node at the cursor; infers result types and throws Error for wrong arguments.
  Node& add_node(const OpDef& op, std::vector<Value> inputs, std::span<const NamedAttr> attrs = {},
                 std::string name = {});
  void set_input(Node& node, int index, Value value);
  void set_type(Value value, const TensorType& type) { value.def()->type = type; }
  void set_attr(Node& node, std::string_view name, AttrValue value);
  void rename(Value value, std::string name) { value.def()->name = std::move(name); }
  // Every use, outputs and updates included, now reads `to`.
  void replace_uses(Value from, Value to);
  void erase(Node& node);  // InternalError when a result is used
  // Whether `a` comes before `b`. Linear in the number of nodes.
  bool before(const Node& a, const Node& b) const;

  // Where add_node puts nodes (before this one; null: at the end) and the scope they get.
  Node* cursor = nullptr;
  std::string scope;

  void add_output(std::string name, Value value);
  void add_update(Value target, Value value);
  void clear_outputs();  // outputs and updates
  const std::vector<Output>& outputs() const { return outputs_; }
  const std::vector<Update>& updates() const { return updates_; }
  Value find_output(std::string_view name) const;  // null when there is none

  std::unique_ptr<Graph> clone() const;

 private:
  std::string name_;
  std::vector<std::unique_ptr<ValueDef>> input_defs_;
  std::vector<Value> inputs_;
  std::unordered_map<std::string, Value> input_by_name_;
  std::list<Node> nodes_;
  std::vector<Output> outputs_;
  std::vector<Update> updates_;
};

// Puts new nodes before `node` and in its scope for as long as it lives.
class InsertBefore {
 public:
  InsertBefore(Graph& graph, Node& node)
      : graph_(graph), cursor_(graph.cursor), scope_(graph.scope) {
    graph.cursor = &node;
    graph.scope = node.scope();
  }
  ~InsertBefore() {
    graph_.cursor = cursor_;
    graph_.scope = scope_;
  }
  InsertBefore(const InsertBefore&) = delete;
  InsertBefore& operator=(const InsertBefore&) = delete;

 private:
  Graph& graph_;
  Node* cursor_;
  std::string scope_;
};

}  // namespace grimace

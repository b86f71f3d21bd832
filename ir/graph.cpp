#include "ir/graph.h"

#include <algorithm>
#include <utility>

#include "ir/op_def.h"

namespace grimace {

std::string_view name_of(Role role) {
  constexpr std::array<std::string_view, 4> names{"input", "param", "state", "constant"};
  return names[static_cast<size_t>(role)];
}

// ---- Node ---------------------------------------------------------------------------------

std::string_view Node::op_name() const {
  return op_->name;
}

const AttrValue& Node::attr(std::string_view name) const {
  for (size_t i = 0; i < attrs_.size(); ++i)
    if (op_->attrs[i].name == name) return attrs_[i];
  throw InternalError(cat(op_->name, " has no attribute '", name, "'"));
}

std::vector<NamedAttr> Node::named_attrs() const {
  std::vector<NamedAttr> result;
  for (size_t i = 0; i < attrs_.size(); ++i) result.emplace_back(op_->attrs[i].name, attrs_[i]);
  return result;
}

std::string Node::describe() const {
  std::string out(op_->name);
  const std::string& name = results_.empty() ? wanted_name_ : results_[0]->name;
  if (!name.empty()) out += " %" + name;
  if (!scope_.empty()) out += " (" + scope_ + ")";
  return out;
}

std::vector<TensorType> Node::infer() const {
  try {
    return op_->infer(*this);
  } catch (const Error& e) {
    // `require` has named the node already; a Shape that cannot be does not know it.
    const std::string who = describe() + ": ";
    throw Error(std::string_view(e.what()).starts_with(who) ? e.what() : who + e.what());
  }
}

// ---- Graph inputs -------------------------------------------------------------------------

Value Graph::add_input(Role role, std::string name, const TensorType& type) {
  check(!name.empty(), "a graph input needs a name");
  check(!input_by_name_.contains(name), "graph '", name_, "' already has an input '", name, "'");
  auto def = std::make_unique<ValueDef>();
  def->graph = this;
  def->type = type;
  def->name = std::move(name);
  def->role = role;
  const Value value(def.get());
  input_by_name_[def->name] = value;
  input_defs_.push_back(std::move(def));
  inputs_.push_back(value);
  return value;
}

Value Graph::add_constant(std::string name, const TensorType& type,
                          std::span<const std::byte> data) {
  check(static_cast<int64_t>(data.size()) == type.bytes(), "constant '", name, "' of type ", type,
        " needs ", type.bytes(), " bytes; got ", data.size());
  const Value value = add_input(Role::constant, std::move(name), type);
  value.def()->data.assign(data.begin(), data.end());
  return value;
}

std::vector<Value> Graph::inputs(Role role) const {
  std::vector<Value> result;
  std::copy_if(inputs_.begin(), inputs_.end(), std::back_inserter(result),
               [role](Value v) { return v.is(role); });
  return result;
}

Value Graph::find_input(std::string_view name) const {
  const auto found = input_by_name_.find(std::string(name));
  return found == input_by_name_.end() ? Value{} : found->second;
}

int Graph::erase_unused_constants() {
  const auto goes = [](Value v) { return v.is(Role::constant) && v.unused(); };
  for (const Value& input : inputs_)
    if (goes(input)) input_by_name_.erase(input.name());
  const auto erased = std::erase_if(inputs_, goes);
  std::erase_if(input_defs_, [&](const auto& def) { return goes(Value(def.get())); });
  return static_cast<int>(erased);
}

// ---- Nodes --------------------------------------------------------------------------------

namespace {

std::vector<AttrValue> complete_attrs(const Node& node, std::span<const NamedAttr> given) {
  const OpDef& op = node.op();
  std::vector<AttrValue> result;
  size_t used = 0;
  for (int i = 0; i < op.num_attrs(); ++i) {
    const AttrSpec& spec = op.attrs[static_cast<size_t>(i)];
    const auto found = std::find_if(given.begin(), given.end(),
                                    [&](const NamedAttr& a) { return a.name == spec.name; });
    if (found != given.end()) {
      node.require(found->value.index() == static_cast<size_t>(spec.kind), "attribute '", spec.name,
                   "' has the wrong kind: ", to_text(found->value));
      result.push_back(found->value);
      ++used;
    } else {
      node.require(!spec.fallback.empty(), "attribute '", spec.name, "' must be given");
      result.push_back(attr_from_text(spec.kind, spec.fallback));
    }
  }
  if (used != given.size())
    for (const NamedAttr& a : given)
      node.require(std::any_of(op.attrs.begin(), op.attrs.end(),
                               [&](const AttrSpec& spec) { return spec.name == a.name; }),
                   "unknown attribute '", a.name, "'");
  node.require(used == given.size(), "an attribute is given twice");
  return result;
}

}  // namespace

Node& Graph::add_node(const OpDef& op, std::vector<Value> inputs, std::span<const NamedAttr> attrs,
                      std::string name) {
  for (const Value& input : inputs)
    internal_check(input && input.def()->graph == this, op.name, ": input of another graph");
  const auto place = cursor != nullptr ? cursor->self_ : nodes_.end();
  std::list<Node> holder(1);
  Node& node = holder.front();
  node.graph_ = this;
  node.op_ = &op;
  node.inputs_ = std::move(inputs);
  node.scope_ = scope;
  node.wanted_name_ = std::move(name);
  const int count = node.num_inputs();
  node.require(count >= op.min_inputs && (op.max_inputs < 0 || count <= op.max_inputs),
               "wrong number of inputs: ", count);
  node.attrs_ = complete_attrs(node, attrs);
  const std::vector<TensorType> types = node.infer();
  for (size_t i = 0; i < types.size(); ++i) {
    auto def = std::make_unique<ValueDef>();
    def->graph = this;
    def->type = types[i];
    def->producer = &node;
    def->result = static_cast<int>(i);
    if (i == 0) def->name = node.wanted_name_;
    node.results_.push_back(std::move(def));
  }
  for (const Value& input : node.inputs_) input.def()->users.push_back(&node);
  node.self_ = holder.begin();
  nodes_.splice(place, holder);
  return node;
}

void Graph::set_input(Node& node, int index, Value value) {
  Value& slot = node.inputs_[static_cast<size_t>(index)];
  auto& users = slot.def()->users;
  users.erase(std::find(users.begin(), users.end(), &node));
  slot = value;
  value.def()->users.push_back(&node);
}

void Graph::set_attr(Node& node, std::string_view name, AttrValue value) {
  const_cast<AttrValue&>(node.attr(name)) = std::move(value);
}

void Graph::replace_uses(Value from, Value to) {
  internal_check(from.type() == to.type(), "replace_uses of ", from.type(), " by ", to.type());
  if (from == to) return;
  const std::vector<Node*> users = std::exchange(from.def()->users, {});
  for (Node* user : users)
    for (Value& slot : user->inputs_) {
      if (slot != from) continue;
      slot = to;
      to.def()->users.push_back(user);
    }
  if (!from.is_output()) return;
  const auto move_use = [&](Value& slot) {
    if (!(slot == from)) return;
    slot = to;
    --from.def()->graph_uses;
    ++to.def()->graph_uses;
  };
  for (Output& output : outputs_) move_use(output.value);
  for (Update& update : updates_) move_use(update.value);
}

namespace {

// One of the uses goes. It is looked for from both ends: passes erase in order, or backwards.
void forget(std::vector<Node*>& users, const Node& node) {
  size_t front = 0;
  size_t back = users.size() - 1;
  for (; users[front] != &node && users[back] != &node; ++front) --back;
  const size_t place = users[front] == &node ? front : back;
  users.erase(users.begin() + static_cast<ptrdiff_t>(place));
}

}  // namespace

void Graph::erase(Node& node) {
  for (const auto& def : node.results_)
    internal_check(def->users.empty() && def->graph_uses == 0, "erase of ", node.describe(),
                   " which is still used");
  for (const Value& input : node.inputs_) forget(input.def()->users, node);
  if (cursor == &node) cursor = nullptr;
  nodes_.erase(node.self_);
}

bool Graph::before(const Node& a, const Node& b) const {
  for (const Node& node : nodes_) {
    if (&node == &a) return &a != &b;
    if (&node == &b) return false;
  }
  return false;
}

// ---- Outputs ------------------------------------------------------------------------------

void Graph::add_output(std::string name, Value value) {
  check(!find_output(name), "graph '", name_, "' already has an output '", name, "'");
  ++value.def()->graph_uses;
  outputs_.push_back({std::move(name), value});
}

void Graph::add_update(Value target, Value value) {
  check(target.is(Role::param) || target.is(Role::state),
        "update: only a param or state can be updated; '", target.name(), "' is neither");
  check(target.type() == value.type(), "update of '", target.name(), "': its type is ",
        target.type(), ", the new value's is ", value.type());
  check(!target.is_updated(), "update: '", target.name(), "' is updated twice");
  target.def()->updated = true;
  ++value.def()->graph_uses;
  updates_.push_back({target, value});
}

void Graph::clear_outputs() {
  for (const Output& output : outputs_) --output.value.def()->graph_uses;
  for (const Update& update : updates_) {
    update.target.def()->updated = false;
    --update.value.def()->graph_uses;
  }
  outputs_.clear();
  updates_.clear();
}

Value Graph::find_output(std::string_view name) const {
  for (const Output& output : outputs_)
    if (output.name == name) return output.value;
  return {};
}

std::unique_ptr<Graph> Graph::clone() const {
  auto copy = std::make_unique<Graph>(name_);
  ValueMap<Value> map;
  for (const Value& v : inputs_) {
    map[v] = copy->add_input(v.def()->role, v.name(), v.type());
    map[v].def()->data = v.def()->data;
  }
  for (const Node& node : nodes_) {
    std::vector<Value> inputs;
    for (const Value& v : node.inputs()) inputs.push_back(map.at(v));
    copy->scope = node.scope();
    Node& twin =
        copy->add_node(node.op(), std::move(inputs), node.named_attrs(), node.result().name());
    for (int i = 0; i < node.num_results(); ++i) {
      map[node.result(i)] = twin.result(i);
      copy->rename(twin.result(i), node.result(i).name());
    }
  }
  copy->scope.clear();
  for (const Output& output : outputs_) copy->add_output(output.name, map.at(output.value));
  for (const Update& update : updates_)
    copy->add_update(map.at(update.target), map.at(update.value));
  return copy;
}

}  // namespace grimace

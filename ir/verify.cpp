// One walk over the graph that knows what was defined so far and who uses it.
#include "ir/verify.h"

#include <algorithm>
#include <unordered_set>

#include "ir/op_def.h"

namespace grimace {
namespace {

bool is_name(const std::string& text) {
  return is_word(text) && text.size() <= kMaxName;
}

class Verifier {
 public:
  explicit Verifier(const Graph& graph) : graph_(graph) {}

  void run() {
    rule(is_name(graph_.name()), "its name must be a word of at most ", kMaxName, " characters");
    rule(graph_.inputs().size() <= kMaxGraphInputs, "more than ", kMaxGraphInputs, " inputs");
    rule(graph_.nodes().size() <= kMaxNodes, "more than ", kMaxNodes, " nodes");
    for (const Value& input : graph_.inputs()) graph_input(input);
    for (const Node& node : graph_.nodes()) {
      place_ = cat("node ", count_++, " (", node.describe(), ")");
      node_inputs(node);
      node_attrs(node);
      node_results(node);
    }
    outputs();
    updates();
    use_lists();
  }

 private:
  // What is known of a value that was already defined.
  struct Uses {
    std::vector<Node*> users;
    int graph_uses = 0;
    bool updated = false;
  };

  template <typename... Parts>
  void rule(bool ok, const Parts&... parts) const {
    if (!ok) [[unlikely]]
      throw Error(
          cat("graph '", graph_.name(), "': ", place_, place_.empty() ? "" : ": ", parts...));
  }

  void define(Value value) {
    rule(value.def()->graph == &graph_, "it belongs to another graph");
    seen_.try_emplace(value);
  }
  Uses& use(Value value, const char* what) {
    const auto found = value ? seen_.find(value) : seen_.end();
    rule(found != seen_.end(), what, " is not defined before its use in this graph");
    return found->second;
  }

  void graph_input(Value input) {
    place_ = cat(name_of(input.def()->role), " '", input.name(), "'");
    rule(is_name(input.name()), "its name must be a word of at most ", kMaxName, " characters");
    rule(graph_.find_input(input.name()) == input, "the graph does not find it by its name");
    rule(input.is_graph_input(), "it has a producer");
    const std::vector<std::byte>& data = input.def()->data;
    const int64_t expected = input.is(Role::constant) ? input.type().bytes() : 0;
    rule(static_cast<int64_t>(data.size()) == expected, "its type is ", input.type(),
         ": it must hold ", expected, " bytes; it holds ", data.size());
    const auto is_bool = [](std::byte b) { return b <= std::byte{1}; };
    rule(input.dtype() != DType::boolean || std::all_of(data.begin(), data.end(), is_bool),
         "a bool must be 0 or 1");
    define(input);
  }

  void node_inputs(const Node& node) {
    rule(&node.graph() == &graph_, "it belongs to another graph");
    rule(node.scope().empty() || is_name(node.scope()), "its scope must be a word of at most ",
         kMaxName, " characters");
    const OpDef& op = node.op();
    const int n = node.num_inputs();
    rule(n >= op.min_inputs && (op.max_inputs < 0 || n <= op.max_inputs),
         "wrong number of inputs: ", n);
    uses_ += static_cast<size_t>(n);
    rule(uses_ <= kMaxUses, "the nodes have more than ", kMaxUses, " inputs together");
    for (int i = 0; i < n; ++i)
      use(node.input(i), "an input").users.push_back(const_cast<Node*>(&node));
  }

  void node_attrs(const Node& node) {
    const std::vector<AttrValue>& attrs = node.attrs();
    rule(static_cast<int>(attrs.size()) == node.op().num_attrs(), "it has ", attrs.size(),
         " attributes; the op declares ", node.op().num_attrs());
    for (size_t i = 0; i < attrs.size(); ++i) {
      const AttrSpec& spec = node.op().attrs[i];
      rule(attrs[i].index() == static_cast<size_t>(spec.kind), "attribute '", spec.name,
           "' is of the wrong kind: ", to_text(attrs[i]));
      rule(to_text(attrs[i]).size() <= kMaxAttribute, "attribute '", spec.name, "' is longer than ",
           kMaxAttribute, " characters");
      const auto* text = std::get_if<std::string>(&attrs[i]);
      rule(text == nullptr || is_word(*text), "attribute '", spec.name, "' must be a word");
    }
  }

  void node_results(const Node& node) {
    const std::vector<TensorType> types = node.infer();
    rule(node.num_results() == static_cast<int>(types.size()), "it has ", node.num_results(),
         " results; the op infers ", types.size());
    for (int i = 0; i < node.num_results(); ++i) {
      const Value result = node.result(i);
      rule(result.producer() == &node && result.def()->result == i, "result ", i,
           " does not point back to it");
      rule(result.type() == types[static_cast<size_t>(i)], "result ", i, " is ", result.type(),
           "; the op infers ", types[static_cast<size_t>(i)]);
      rule(result.name().empty() || is_name(result.name()), "the name of result ", i,
           " must be a word of at most ", kMaxName, " characters");
      define(result);
    }
  }

  void outputs() {
    std::unordered_set<std::string_view> names;
    place_.clear();
    rule(graph_.outputs().size() <= kMaxOutputs, "more than ", kMaxOutputs, " outputs");
    for (const Output& output : graph_.outputs()) {
      place_ = "output '" + output.name + "'";
      rule(is_name(output.name), "its name must be a word of at most ", kMaxName, " characters");
      rule(names.insert(output.name).second, "another output has the same name");
      ++use(output.value, "its value").graph_uses;
    }
  }

  void updates() {
    std::unordered_set<const ValueDef*> targets;
    place_.clear();
    rule(graph_.updates().size() <= kMaxOutputs, "more than ", kMaxOutputs, " updates");
    for (const Update& update : graph_.updates()) {
      place_ = "update";
      use(update.target, "its target").updated = true;
      place_ = "update of '" + update.target.name() + "'";
      rule(update.target.is(Role::param) || update.target.is(Role::state),
           "only a param or state can be updated");
      rule(targets.insert(update.target.def()).second, "it is updated twice");
      ++use(update.value, "its new value").graph_uses;
      rule(update.target.type() == update.value.type(), "its type is ", update.target.type(),
           ", the new value's is ", update.value.type());
    }
  }

  void use_lists() {
    for (auto& [value, uses] : seen_) {
      std::vector<Node*> users = value.users();
      std::sort(users.begin(), users.end());
      std::sort(uses.users.begin(), uses.users.end());
      place_ = "value '" + value.name() + "'";
      rule(users == uses.users, "its list of users is wrong");
      rule(value.def()->graph_uses == uses.graph_uses, "it counts ", value.def()->graph_uses,
           " uses by outputs and updates; there are ", uses.graph_uses);
      rule(value.is_updated() == uses.updated, "it does not know whether it is updated");
    }
  }

  const Graph& graph_;
  std::string place_;
  int count_ = 0;
  size_t uses_ = 0;
  ValueMap<Uses> seen_;
};

}  // namespace

void verify(const Graph& graph) {
  Verifier(graph).run();
}

}  // namespace grimace

// Makes matrix products and attention read 16-bit operands and accumulate in f32. Parameters stay
// f32 (master weights) and are cast where they are multiplied; bias, residual stream, statistics
// and sums stay f32. What only such products, gelu and sums read is then kept in 16 bits too.
#include <algorithm>

#include "ir/builder.h"
#include "ir/op_def.h"
#include "ir/passes/guards.h"
#include "ir/passes/passes.h"
#include "ir/passes/rewrite.h"

namespace grimace {
namespace {

// The casts made so far: a value is cast once, before its first product, for the whole graph.
class Casts {
 public:
  Casts(Graph& graph, DType to) : b_(graph), to_(to) {}

  //   reshape(x) ; cast  ->  cast(x) ; reshape
  // so that a tensor read under two shapes (as in the gradient of linear) is cast once.
  Value cast(Value v) {
    if (const auto known = casts_.find(v); known != casts_.end()) return known->second;
    const Node* view = made_by(v, op_reshape);
    const Node* widening = made_by(v, op_cast);
    Value result;
    if (view != nullptr)
      result = b_.reshape(cast(view->input(0)), v.shape().to_vector());
    else if (widening != nullptr && widening->in(0).dtype == to_)
      result = widening->input(0);
    else
      result = b_.cast(v, to_);
    casts_[v] = result;
    return result;
  }

 private:
  Builder b_;
  DType to_;
  ValueMap<Value> casts_;
};

//   linear(x, w, bias)  ->  linear(cast(x), cast(w), bias)
bool lower_product(Graph& graph, Node& node, Casts& casts) {
  const bool product = node.is(op_matmul) || node.is(op_linear);
  if (!product || node.in(0).dtype != DType::f32) return false;
  const InsertBefore here(graph, node);
  for (int i = 0; i < 2; ++i) graph.set_input(node, i, casts.cast(node.input(i)));
  return true;
}

void take_name(Graph& graph, Value from, Value to) {
  std::string name = from.name();
  graph.rename(from, "");
  graph.rename(to, std::move(name));
}

//   attention(q, kv)  ->  cast(attention(cast(q), cast(kv))) to f32; its gradient likewise
bool lower_attention(Graph& graph, Node& node, Casts& casts) {
  const bool attention = node.is(op_attention) || node.is(op_attention_grad);
  if (!attention || node.in(0).dtype != DType::f32) return false;
  const InsertBefore here(graph, node);
  Builder b(graph);
  std::vector<Value> inputs;
  for (const Value& input : node.inputs()) inputs.push_back(casts.cast(input));
  const auto results = b.emit_all(node.op(), std::move(inputs), node.named_attrs());
  for (int i = 0; i < node.num_results(); ++i) {
    const Value narrow = results[static_cast<size_t>(i)];
    take_name(graph, node.result(i), narrow);
    graph.replace_uses(node.result(i), b.cast(narrow, DType::f32));
  }
  return true;
}

// ---- Results ------------------------------------------------------------------------------

bool is_product(const Node& node, DType to) {
  return (node.is(op_matmul) || node.is(op_linear)) && node.in(0).dtype == to;
}

// Readers to whom the rounded value is as good: casts to it lose nothing, the others add up many
// of them in f32.
bool reads_narrow(const Node& user, Value v, DType to) {
  return (user.is(op_cast) && user.out().dtype == to) || user.is(op_reduce_sum) ||
         (user.is(op_layer_norm_grad) && user.input(0) == v && user.input(1) != v);
}

bool only_narrow_readers(Value v, DType to, bool or_gelu) {
  const auto fits = [&](const Node* user) {
    return reads_narrow(*user, v, to) || (or_gelu && (user->is(op_gelu) || user->is(op_gelu_grad)));
  };
  return !v.is_output() && !v.users().empty() && std::ranges::all_of(v.users(), fits);
}

// The readers of `from` read `to`, and what was cast to it before is it.
void read_narrow(Graph& graph, Value from, Value to) {
  take_name(graph, from, to);
  const std::vector<Node*> users = from.users();
  for (Node* user : users) {
    if (!user->is(op_cast)) {
      graph.set_input(*user, 0, to);
      continue;
    }
    graph.replace_uses(user->result(), to);
    graph.erase(*user);
  }
}

// gelu of products: its operands are rounded too, and nothing else needs them whole.
bool is_narrow_gelu(const Node& node, DType to) {
  const bool gelu = node.is(op_gelu) || node.is(op_gelu_grad);
  return gelu && node.in(0).dtype == DType::f32 && std::ranges::all_of(node.inputs(), [&](Value x) {
           return x.producer() != nullptr && is_product(*x.producer(), to) &&
                  only_narrow_readers(x, to, true);
         });
}

//   linear ; cast  ->  linear{result=bf16};  layer_norm, reconstruction_loss likewise;  gelu ; cast
//   ->  gelu of bf16
void narrow_result(Graph& graph, Node& node, DType to) {
  const bool rounds =
      is_product(node, to) || ((node.is(op_layer_norm) || node.is(op_reconstruction_loss)) &&
                               node.in(0).dtype == DType::f32);
  if (!rounds && !is_narrow_gelu(node, to)) return;
  if (node.out().dtype != DType::f32 || !only_narrow_readers(node.result(), to, false)) return;
  const InsertBefore here(graph, node);
  Builder b(graph);
  std::vector<Value> inputs = node.inputs();
  std::vector<NamedAttr> attrs = node.named_attrs();
  if (rounds)
    for (NamedAttr& attr : attrs) attr.value = attr.name == "result" ? AttrValue(to) : attr.value;
  else
    for (Value& input : inputs) input = b.cast(input, to);
  const auto results = b.emit_all(node.op(), std::move(inputs), std::move(attrs));
  read_narrow(graph, node.result(), results[0]);
  for (int i = 1; i < node.num_results(); ++i)
    take_place(graph, node.result(i), results[static_cast<size_t>(i)]);
  graph.erase(node);
}

//   reduce_sum(cast(x) to f32)  ->  reduce_sum(x)
void sum_unwidened(Graph& graph, Node& node, DType to) {
  const Node* cast = node.is(op_reduce_sum) ? made_by(node.input(0), op_cast) : nullptr;
  if (cast == nullptr || cast->in(0).dtype != to || cast->out().dtype != DType::f32) return;
  graph.set_input(node, 0, cast->input(0));
}

}  // namespace

int mixed_precision(Graph& graph, DType operand) {
  internal_check(is_float(operand) && size_of(operand) == 2, "mixed_precision with ", operand);
  Casts casts(graph, operand);
  int fired = 0;
  for (Node& node : graph.nodes())
    fired += lower_product(graph, node, casts) || lower_attention(graph, node, casts) ? 1 : 0;
  if (fired == 0) return 0;
  eliminate_dead(graph);  // f32 reshapes that only products read
  for (Node& node : graph.nodes()) sum_unwidened(graph, node, operand);
  // Readers first: they decide what their operands may be. Only nodes already visited are erased.
  std::vector<Node*> nodes;
  for (Node& node : graph.nodes()) nodes.push_back(&node);
  for (auto node = nodes.rbegin(); node != nodes.rend(); ++node)
    narrow_result(graph, **node, operand);
  eliminate_dead(graph);
  return fired;
}

}  // namespace grimace

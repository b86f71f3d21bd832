// Makes matmul and linear read 16-bit operands and accumulate in f32. Parameters stay f32 (master
// weights) and are cast where they are multiplied; bias, residual and result stay f32.
#include "ir/builder.h"
#include "ir/op_def.h"
#include "ir/passes/guards.h"
#include "ir/passes/passes.h"

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
    const Value result =
        view != nullptr ? b_.reshape(cast(view->input(0)), v.shape().to_vector()) : b_.cast(v, to_);
    casts_[v] = result;
    return result;
  }

 private:
  Builder b_;
  DType to_;
  ValueMap<Value> casts_;
};

//   linear(x, w, bias)  ->  linear(cast(x), cast(w), bias)
bool lower_operands(Graph& graph, Node& node, Casts& casts) {
  const bool product = node.is(op_matmul) || node.is(op_linear);
  if (!product || node.in(0).dtype != DType::f32) return false;
  const InsertBefore here(graph, node);
  for (int i = 0; i < 2; ++i) graph.set_input(node, i, casts.cast(node.input(i)));
  return true;
}

}  // namespace

int mixed_precision(Graph& graph, DType operand) {
  internal_check(is_float(operand) && size_of(operand) == 2, "mixed_precision with ", operand);
  Casts casts(graph, operand);
  int fired = 0;
  for (Node& node : graph.nodes()) fired += lower_operands(graph, node, casts) ? 1 : 0;
  if (fired > 0) eliminate_dead(graph);  // f32 reshapes that only products read
  return fired;
}

}  // namespace grimace

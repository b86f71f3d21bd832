// gather_rows moves up through row-wise ops towards the inputs, so that they compute only the rows
// that are picked: of 800 embedded cubes, the 80 visible ones. Runs on the forward graph before
// autodiff, which then needs fewer rows too.
#include "ir/passes/guards.h"
#include "ir/passes/passes.h"
#include "ir/passes/rewrite.h"

namespace grimace {
namespace {

int64_t rows_of(const TensorType& type) {
  const int64_t cols = type.shape[-1];
  return cols == 0 ? 0 : type.numel() / cols;
}

// The node whose rows are picked, when the gather may pass it: only then is no row computed twice
// and none more than before. Null otherwise.
const Node* passable(const Node& gather) {
  if (!gather.is(op_gather_rows) || !gather.input(0).single_use()) return nullptr;
  const Node* f = gather.input(0).producer();
  if (f == nullptr || gather.input(0) != f->result() || !only_first_result_used(*f)) return nullptr;
  return rows_of(gather.out()) < rows_of(gather.in(0)) ? f : nullptr;
}

//   gather_rows(f(x, shared...), index)  ->  f(gather_rows(x, index), shared...)
Value hoist_over_row_wise(Builder& b, const Node& gather) {
  const Node* f = passable(gather);
  if (f == nullptr || f->op().row_wise == nullptr || !f->op().row_wise(*f)) return {};
  std::vector<Value> inputs = f->inputs();
  inputs[0] = b.gather_rows(inputs[0], gather.input(1));
  return on_fewer_rows(b, *f, std::move(inputs), gather);
}

// How an operand of an elementwise node of shape `out` ([B,R,C] or [R,C]) follows the gather:
// [B,R,*] per clip, [R,*] and [1,R,*] as a table that the clips share, all else as it is because
// its rows are equal.
Value gathered(Builder& b, Value operand, const Shape& out, Value index) {
  const Shape& shape = operand.shape();
  if (shape.rank() < 2 || shape[-2] != out[-2] || out[-2] == 1) return operand;
  const bool table = shape.rank() == 3 && shape[0] == 1 && out[0] != 1;
  return b.gather_rows(table ? b.reshape(operand, {shape[1], shape[2]}) : operand, index);
}

//   gather_rows(x + y, index)  ->  gather_rows(x, index) + gather_rows(y, index)
Value hoist_over_elementwise(Builder& b, const Node& gather) {
  const Node* f = passable(gather);
  if (f == nullptr || !f->op().elementwise) return {};
  std::vector<Value> inputs;
  ValueMap<Value> moved;  // an operand read twice is gathered once
  for (const Value& operand : f->inputs()) {
    Value& to = moved[operand];
    if (!to) to = gathered(b, operand, f->out().shape, gather.input(1));
    inputs.push_back(to);
  }
  return on_fewer_rows(b, *f, std::move(inputs), gather);
}

constexpr Rule kRules[] = {hoist_over_row_wise, hoist_over_elementwise};

}  // namespace

int hoist_gather(Graph& graph) {
  return rewrite(graph, kRules);
}

}  // namespace grimace
